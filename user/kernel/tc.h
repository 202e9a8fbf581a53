/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tc programs on an interface, attached by tcx links (6.6) or clsact filters.
 *
 * On ingress sluice's program runs after all others, on egress before them, so that the others see
 * the addresses on the wire, as they would without sluice. A program that ends the chain on ingress
 * (TC_ACT_OK) also ends it for sluice, which then rewrites neither direction.
 *
 * Priority, handle and the program's name identify sluice's filter. sluice never touches other
 * filters, nor a clsact that holds one.
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

/* Attaches by a tcx link. Returns its descriptor; closing it detaches unless the link is pinned. */
int tc_link_create(__u32 ifindex, bool out, int prog_fd);

/*
 * Creates the interface's clsact; *made is false if it existed. Returns -EBUSY if the interface has
 * an `ingress` qdisc instead.
 */
int tc_clsact_make(__u32 ifindex, bool *made);
/*
 * Removes the clsact if it holds no filter. The kernel has no atomic operation for this: a filter
 * that is added between check and removal is lost.
 */
void tc_clsact_remove_unused(__u32 ifindex);
/* Adds sluice's filter, or replaces its program. Returns -EEXIST if another filter has its slot. */
int tc_filter_set(__u32 ifindex, bool out, int prog_fd);
/*
 * A filter that blocks sluice's: it has the same priority, and the same handle, another kind or
 * another protocol.
 */
struct tc_blocker {
	char kind[16];
	char name[64]; /* of a BPF program; else "" */
	__u32 handle;
	__u32 priority;
};

/* Finds such a filter. Returns 0 or -ENOENT. */
int tc_filter_blocker(__u32 ifindex, bool out, struct tc_blocker *blocker);
/* Reads the program of sluice's filter. Returns 0 or -ENOENT. */
int tc_filter_read(__u32 ifindex, bool out, __u32 *prog_id);
/* Removes sluice's filter. Returns 0, -ENOENT or -errno. */
int tc_filter_remove(__u32 ifindex, bool out);

/*
 * Lists the programs of the hook in the order in which they run; a filter without a BPF program has
 * the id 0. Returns their number or -errno.
 */
int tc_order(__u32 ifindex, bool out, struct hook_prog progs[HOOK_PROGS_MAX]);

#endif
