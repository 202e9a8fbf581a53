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
	{ .name = "bpf_cast_to_kern_ctx in tc",
	  .why = "identifies the sender of a datagram without calls (kfunc)",
	  .has_btf = feature_tc_cast,
	  .takes = NEED_NET | NEED_PERFMON | NEED_BTF,
	  .since = "6.2",
	  .fallback = "calls helpers, which cost more" },
};

NEEDS(wire_needs, rows);

struct wire_kfuncs wire_kfuncs_probe(void)
{
	struct btf *vmlinux = btf__load_vmlinux_btf(), *module = NULL;
	struct wire_kfuncs kfuncs = { 0 };

	if (!vmlinux)
		return kfuncs;
	if (!access("/sys/kernel/btf/nf_conntrack", R_OK))
		module = btf__load_module_btf("nf_conntrack", vmlinux);
	kfuncs.conntrack = feature_function(module ? module : vmlinux, CHANGE_TIMEOUT) ==
			   FEATURE_YES;
	kfuncs.cast = feature_tc_cast(vmlinux) == FEATURE_YES;
	btf__free(module);
	btf__free(vmlinux);
	return kfuncs;
}

int wire_caps_require(struct err *err)
{
	static const int caps[] = { CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON };

	return caps_require("reply load", caps, sizeof(caps) / sizeof(*caps), err);
}
