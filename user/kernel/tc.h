/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tc programs on an interface, attached by tcx links (6.6) or clsact filters.
 *
 * On ingress, sluice's program runs last; on egress, it runs first. Other programs thus see the
 * addresses on the wire, as without sluice. If another program ends the chain on ingress
 * (TC_ACT_OK), sluice's program does not run, and sluice then rewrites neither direction.
 *
 * Priority, handle and the program's name identify sluice's filter. sluice never changes other
 * filters, and never removes a clsact that holds one.
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

/* Attaches with a tcx link. Returns its descriptor; closing it detaches an unpinned link. */
int tc_link_create(__u32 ifindex, bool out, int prog_fd);

/*
 * Creates the interface's clsact; sets *made to false if it already existed. Returns -EBUSY if the
 * interface has an `ingress` qdisc instead.
 */
int tc_clsact_make(__u32 ifindex, bool *made);
/*
 * Removes the clsact if it holds no filter. The kernel has no atomic operation for this: a filter
 * that is added between the check and the removal is lost.
 */
void tc_clsact_remove_unused(__u32 ifindex);
/*
 * Adds sluice's filter, or replaces its program. Returns -EEXIST if a foreign filter is in its
 * slot.
 */
int tc_filter_set(__u32 ifindex, bool out, int prog_fd);
/*
 * A foreign filter in the slot of sluice's filter: same priority, and the same handle, a different
 * kind, or a different protocol.
 */
struct tc_blocker {
	char kind[16];
	char name[64]; /* name of a BPF program, else "" */
	__u32 handle;
	__u32 priority;
};

/* Finds a foreign filter in the slot. Returns 0 or -ENOENT. */
int tc_filter_blocker(__u32 ifindex, bool out, struct tc_blocker *blocker);
/* Reads the program of sluice's filter. Returns 0 or -ENOENT. */
int tc_filter_read(__u32 ifindex, bool out, __u32 *prog_id);
/* Removes sluice's filter. Returns 0, -ENOENT or -errno. */
int tc_filter_remove(__u32 ifindex, bool out);

/*
 * Lists the programs of the hook in the order in which they run. The id of a filter without a BPF
 * program is 0. Returns their number or -errno.
 */
int tc_order(__u32 ifindex, bool out, struct hook_prog progs[HOOK_PROGS_MAX]);

#endif
