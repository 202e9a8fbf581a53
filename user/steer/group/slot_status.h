/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the socket in a slot is doing now: who holds it, how full its queue is, what it dropped. */
#ifndef SLUICE_STEER_GROUP_SLOT_STATUS_H
#define SLUICE_STEER_GROUP_SLOT_STATUS_H

#include "kernel/sockets.h"
#include "steer/group/group.h"

#include <sluice/steer.h>
#include <stdbool.h>

struct slot_status {
	bool closed; /* the kernel has taken the socket out; the slot is not yet given back */
	__u64 cpus[SLUICE_STEER_CPUS / 64];    /* that its reader runs on, as policy cpu has it */
	struct sluice_steer_consumer consumer; /* under that policy */
	bool held; /* somebody holds it: pid and comm are his of today */
	__u32 pid;
	char comm[SLUICE_COMM_SIZE];
	bool measured; /* what follows is known */
	struct socket_memory memory;
	__u32 drops;	  /* since it joined */
	__u32 queue_read; /* what has been read of memory.used; it changes with every read */
};

/* Fills in what the group's maps tell of a slot. */
void slot_status_read(const struct steer_group *group, int slot, struct slot_status *look);
/* Fills in the rest, if the socket may be taken. `sockets` may be NULL. */
void slot_status_of_socket(const struct sockets *sockets, const struct sluice_steer_slot *slot,
			   struct slot_status *look);

#endif
