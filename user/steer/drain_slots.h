/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The sockets of a drain, and the state of their slots; private to steer/drain.c. */
#ifndef SLUICE_STEER_DRAIN_SLOTS_H
#define SLUICE_STEER_DRAIN_SLOTS_H

#include "process/sockets.h"
#include "steer/drain_options.h"
#include "steer/server.h"
#include "steer/steer.h"
#include "steer/unread.h"

#include <stdbool.h>

#define DRAIN_SOCKETS_MAX SLUICE_UNREAD_MAX

struct drained {
	struct steer_group *group;
	__u64 cookie, sock;
	int slot;
	__u16 incarnation;	    /* incarnation of the slot at the start */
	bool drained;		    /* another drain of the slot had completed before the start */
	__u32 busy;		    /* flows at the last count */
	__u32 drops;		    /* drop count of the socket at the start */
	struct sluice_unread queue; /* the queue when last read, or on close */
	bool left;		    /* the socket is no longer in the group */
};

struct drain {
	const struct steer_drain_options *options;
	struct steer_loader loader; /* used by the sweeps */
	struct steer_drain_result *result;
	struct steer_server server;
	struct sockets *sockets;
	struct steer_groups_open groups;
	struct drained all[DRAIN_SOCKETS_MAX];
	int count;
	struct unread *unread;
	__u64 start_ns;
	struct err *err;
};

/*
 * Finds the sockets of the server. Returns 0, or -errno with *drain->err set; -EBUSY if no other
 * server can take the flows.
 */
int drain_collect(struct drain *drain);
/* Frees the sockets and groups that drain_collect() has read. */
void drain_forget(struct drain *drain);
/*
 * Returns true if a drain has expelled the flows of the slot while the slot belonged to the socket.
 */
bool drain_is_handed_over(const struct drained *drained);
/*
 * Returns true if the slot still belongs to the socket. After a close, the slot may belong to
 * another socket.
 */
bool drain_has_slot(const struct drained *drained);

/* Steps of a drain, for the slot of one socket. The caller holds the lock on the pins. */
int drain_slot_draining(struct drained *drained);
int drain_slot_expel(struct drained *drained);
/* Ends the drain of the slot. Adds the unread datagrams of its socket to the group's record. */
int drain_slot_end(struct drained *drained);
/*
 * Applies a step to all sockets. With @needs_others, fails if no other server can take the flows:
 * the other servers may have exited since, or be draining too.
 */
int drain_slots_set(struct drain *drain, bool needs_others, int (*step)(struct drained *drained));
/* Applies a step that lets flows move. Sweeps before and after it. */
int drain_slots_give(struct drain *drain, int (*step)(struct drained *drained));
/* Undoes the drain of the slots, and sweeps to assign their generations again. */
void drain_slots_restore(struct drain *drain);

#endif
