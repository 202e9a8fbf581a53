// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The kernel features that the XDP program of the rendezvous server needs. The server also works
 * without it.
 */
#include "meet/needs.h"

#define NO_XDP "the server answers every request itself (no --xdp)"

/* An XDP link needs an interface, so it is not probed. */
static enum feature xdp_link(const struct need *need, struct probe *probe)
{
	return feature_function(probe->vmlinux, "bpf_xdp_link_attach");
}

static const struct need rows[] = {
	NEED_HOOK("xdp", XDP, 0, "4.8", "answers requests without the server", NO_XDP),
	{ .name = "bpf_link for XDP",
	  .why = "detaches the program when the server ends",
	  .probe = xdp_link,
	  .takes = NEED_BTF,
	  .since = "5.9",
	  .fallback = NO_XDP },
	NEED_HELPER(XDP, 0, xdp_adjust_head, "4.10", "makes room for an answer", NO_XDP),
};

NEEDS(meet_needs, rows);
