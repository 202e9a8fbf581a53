/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The current status of a slot's socket: holder, queue and drops. */
#ifndef SLUICE_STEER_GROUP_SLOT_STATUS_H
#define SLUICE_STEER_GROUP_SLOT_STATUS_H

#include "process/sockets.h"
#include "steer/group/group.h"

#include <sluice/steer.h>
#include <stdbool.h>

struct slot_status {
	bool closed; /* the kernel has removed the socket, but the slot is not freed yet */
	__u64 cpus[SLUICE_STEER_CPUS / 64];    /* CPUs that policy cpu has assigned to the slot */
	struct sluice_steer_consumer consumer; /* policy cpu only */
	__u32 pid;
	char comm[SLUICE_COMM_SIZE];
	bool held;	  /* a process holds the socket; pid, comm and the fields below are valid */
	int holders;	  /* number of processes, except sluice and init */
	__u32 queue_used; /* memory of the queue, in bytes */
	__u32 queue_room; /* limit of queue_used */
	__u32 queue_read; /* bytes already read, but still in queue_used; changes with every read */
	__u32 drops;	  /* drops since the socket joined */
};

/* Reads the status of a slot from the group's maps. */
void slot_status_read(const struct steer_group *group, int slot, struct slot_status *status);
/* Adds the status of the socket, if the socket can be found. @sockets may be NULL. */
void slot_status_of_socket(const struct sockets *sockets, const struct sluice_steer_slot *slot,
			   struct slot_status *status);

#endif
