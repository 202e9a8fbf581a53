/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The pinned tables of the object hold, mapped into this process. */
#ifndef SLUICE_HOLD_MAPS_H
#define SLUICE_HOLD_MAPS_H

#include "base/err.h"

#include <sluice/hold.h>
#include <stdbool.h>

struct hold_maps {
	__u32 table; /* number of slots; the first is 1 */
	const struct sluice_hold_alloc *alloc;
	const struct sluice_hold_flow *flows;
	struct sluice_hold_kept *kept;
	struct sluice_hold_status *status;
	const __u64 *closes;
	int socks_fd;
	int netns_fd;
};

/*
 * Maps the tables into this process; with @write, `kept` and `status` are writable. Returns 0, or
 * -errno with *err set. The caller must always call hold_maps_close().
 */
int hold_maps_open(struct hold_maps *maps, const char *bpffs, bool write, struct err *err);
/* Unmaps the tables. Does nothing for HOLD_MAPS_NONE or closed maps. */
void hold_maps_close(struct hold_maps *maps);
#define HOLD_MAPS_NONE ((struct hold_maps){ .socks_fd = -1, .netns_fd = -1 })

/* Returns the highest slot that was ever used. */
__u32 hold_maps_used(const struct hold_maps *maps);
/* Copies a flow consistently. Returns false if the slot is free or is being reassigned. */
bool hold_flow_read(const struct hold_maps *maps, __u32 slot, struct sluice_hold_flow *flow);
/* Returns the counter that is incremented when this socket is closed or changes its port. */
static inline __u32 hold_closes(const struct hold_maps *maps, __u64 cookie)
{
	return (__u32)__atomic_load_n(&maps->closes[cookie % SLUICE_HOLD_CLOSES], __ATOMIC_ACQUIRE);
}
/*
 * Returns true if the socket of a flow is open and still bound to the flow's port. Costs a system
 * call.
 */
bool hold_socket_open(const struct hold_maps *maps, const struct sluice_hold_flow *flow);
/* Returns the number of open, tracked sockets of a namespace. */
__u64 hold_netns_sockets(const struct hold_maps *maps, __u32 netns);

#endif
