// SPDX-License-Identifier: GPL-2.0-or-later
/* The kernel features that mode wire uses. */
#include "wire/needs.h"

#include "kernel/caps.h"

#include <bpf/btf.h>
#include <unistd.h>

static enum feature conntrack_kfunc(const struct need *need, struct probe *probe)
{
	return feature_function(probe->conntrack, need->name);
}

#define CHANGE_TIMEOUT "bpf_ct_change_timeout"

static const struct need rows[] = {
	NEED_HOOK("tc", SCHED_CLS, 0, "4.1", "rewrites datagrams in mode wire",
		  "mode socket alone"),
	{ .name = "tcx",
	  .why = "keeps tc programs attached, in order",
	  .has = feature_tcx,
	  .takes = NEED_NET,
	  .since = "6.6",
	  .fallback = "clsact" },
	{ .name = CHANGE_TIMEOUT,
	  .why = "cuts conntrack entries of redirected requests; bpf_skb_ct_lookup detects DNAT (kfuncs)",
	  .probe = conntrack_kfunc,
	  .takes = NEED_BTF,
	  .since = "6.0",
	  .hint = "from 6.0 on: load nf_conntrack, built with BTF",
	  .fallback = "entries end after 30 s; DNAT is not detected" },
};

NEEDS(wire_needs, rows);

bool wire_has_conntrack(void)
{
	struct btf *vmlinux = btf__load_vmlinux_btf(), *module = NULL;
	bool has;

	if (!vmlinux)
		return false;
	if (!access("/sys/kernel/btf/nf_conntrack", R_OK))
		module = btf__load_module_btf("nf_conntrack", vmlinux);
	has = feature_function(module ? module : vmlinux, CHANGE_TIMEOUT) == FEATURE_YES;
	btf__free(module);
	btf__free(vmlinux);
	return has;
}

int wire_caps_require(struct err *err)
{
	static const int caps[] = { CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON };

	return caps_require("reply load", caps, sizeof(caps) / sizeof(*caps), err);
}
