// SPDX-License-Identifier: GPL-2.0-or-later
/* The kernel features that mode wire uses. */
#include "wire/needs.h"

static enum feature conntrack_kfunc(const struct need *need, struct probe *probe)
{
	return feature_function(probe->conntrack, need->name);
}

static const struct need rows[] = {
	NEED_HOOK("tc", SCHED_CLS, 0, "4.1", "rewrites datagrams in wire mode",
		  "socket mode alone"),
	{ .name = "tcx",
	  .why = "keeps tc programs attached, in order",
	  .has = feature_tcx,
	  .takes = NEED_NET,
	  .since = "6.6",
	  .fallback = "clsact" },
	{ .name = "BPF_FIB_LOOKUP_SRC",
	  .why = "returns the source address of a route",
	  .has = feature_fib_source,
	  .takes = NEED_NET,
	  .since = "6.7",
	  .fallback = "addresses from netlink" },
	{ .name = "bpf_skb_ct_lookup",
	  .why = "reads conntrack entries (kfunc)",
	  .probe = conntrack_kfunc,
	  .takes = NEED_BTF,
	  .since = "5.18",
	  .hint = "from 5.18 on: load nf_conntrack, built with BTF",
	  .fallback = "ctnetlink" },
};

NEEDS(wire_needs, rows);
