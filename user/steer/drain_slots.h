/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The sockets of a drain and the state of their slots; private to steer/drain.c. */
#ifndef SLUICE_STEER_DRAIN_SLOTS_H
#define SLUICE_STEER_DRAIN_SLOTS_H

#include "kernel/sockets.h"
#include "steer/drain_options.h"
#include "steer/pid_watch.h"
#include "steer/steer.h"

#include <stdbool.h>

#define DRAIN_SOCKETS_MAX SLUICE_STEER_SLOTS

struct drained {
	struct steer_group *group;
	__u64 cookie;
	int slot;
	int fd;	      /* -1 once the socket has been emptied */
	__u32 drops;  /* of the socket at the start */
	bool missing; /* no other process held it at the last check */
	bool left;    /* nor at the check before that */
};

struct drain {
	const struct steer_drain_options *options;
	struct steer_loader loader; /* for the sweeps */
	struct steer_drain_result *result;
	__u64 instance;
	struct sockets *sockets;
	struct steer_groups_open groups;
	struct drained all[DRAIN_SOCKETS_MAX];
	int count;
	int held; /* sockets with a descriptor */
	struct pid_watch watch;
	__u32 checked_ms; /* time of the last check of the holders, since the start */
	__u64 start_ns;
	struct err *err;
};

/* Finds the sockets of the process and opens them. Returns 0, or -errno with *drain->err set. */
int drain_collect(struct drain *drain);
__u32 drain_socket_drops(int fd);
/* Returns false once the slot belongs to another socket, as after a close. */
bool drain_has_slot(const struct drained *drained);

/* Steps that change the slot of one socket; the caller holds the lock on the pins. */
int drain_slot_draining(struct drained *drained);
int drain_slot_expel(struct drained *drained);
int drain_slot_left(struct drained *drained);
int drain_slot_emptied(struct drained *drained);
/*
 * Applies a step to all sockets. With @needs_others it fails if no other process would take the
 * flows: the other processes may have exited, or be draining themselves by now.
 */
int drain_slots_set(struct drain *drain, bool needs_others, int (*step)(struct drained *drained));
/* Applies a step that makes flows move, between two sweeps. */
int drain_slots_give(struct drain *drain, int (*step)(struct drained *drained));
/* Ends the drain of the slots; the next sweep assigns their generations. */
void drain_slots_restore(struct drain *drain);

#endif
