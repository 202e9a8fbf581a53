/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tc programs on an interface, by tcx links (6.6) or by filters of clsact.
 *
 * Our place among the programs of others: on ingress behind them, on egress before them, so that
 * they see the addresses that are on the wire, as they would without us.  One that ends the chain
 * (TC_ACT_OK) ends it for us on ingress, too: then nothing is rewritten in either direction.
 *
 * A filter of ours is known by its priority and handle, and by the name of its program; one of
 * others is never touched, nor is a clsact that holds one.
 */
#ifndef SLUICE_KERNEL_TC_H
#define SLUICE_KERNEL_TC_H

#include "base/err.h"
#include "kernel/links.h"

#include <linux/types.h>
#include <stdbool.h>

/* enum bpf_attach_type of 6.6 */
#define TC_TCX_INGRESS 46
#define TC_TCX_EGRESS  47

/* Attaches; the descriptor of the link, which detaches when it is closed unless pinned. */
int tc_link_create(__u32 ifindex, bool out, int prog_fd);

/*
 * Makes the interface's clsact unless it is there; *made says which. -EBUSY: an `ingress` qdisc
 * stands in its place.
 */
int tc_clsact_make(__u32 ifindex, bool *made);
/*
 * Removes it if it holds no filter.  The kernel can't be asked for both in one: a filter that comes
 * between the look and the removal goes with it.
 */
void tc_clsact_remove_unused(__u32 ifindex);
/* Adds our filter, or gives it another program. -EEXIST: in its place is one of another. */
int tc_filter_set(__u32 ifindex, bool out, int prog_fd);
/* One of another that leaves no place for ours: our handle, or our priority for another kind. */
struct tc_blocker {
	char kind[16];
	char name[64]; /* of a BPF program; else "" */
	__u32 handle;
	__u32 priority;
};

/* Looks for one. 0, or -ENOENT. */
int tc_filter_blocker(__u32 ifindex, bool out, struct tc_blocker *blocker);
/* The program of our filter; -ENOENT if there is none. */
int tc_filter_read(__u32 ifindex, bool out, __u32 *prog_id);
/* Removes our filter. 0, -ENOENT or -errno. */
int tc_filter_remove(__u32 ifindex, bool out);

/* What runs on the hook, in order; what is no BPF program has the number 0. The count or -errno. */
int tc_order(__u32 ifindex, bool out, struct hook_prog progs[HOOK_PROGS_MAX]);

#endif
