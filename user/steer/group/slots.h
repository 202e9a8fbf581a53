/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The slots of a group, each with a socket. */
#ifndef SLUICE_STEER_GROUP_SLOTS_H
#define SLUICE_STEER_GROUP_SLOTS_H

#include "kernel/sockets.h"
#include "steer/group/group.h"

#include <stdbool.h>

/* The slot of a socket, or -1. */
int steer_group_slot(const struct steer_group *group, __u64 cookie);
/* Gives a socket a slot: its number, -ENOSPC, or -EBUSY if it is in another such array. */
int steer_group_join(struct steer_group *group, int socket_fd, __u64 cookie,
		     const struct sluice_socket_record *record, __u64 instance);
/* Frees a slot; the kernel has taken out a closed socket already. */
int steer_group_leave(struct steer_group *group, int slot);
/*
 * Takes all sockets out of a group that has no program any more: a socket can be in one such map
 * only, and the kernel frees this one some time after it is gone.
 */
void steer_group_forget(const struct steer_group *group);
/* Is the slot's socket open, and in the group? */
bool steer_group_holds(const struct steer_group *group, int slot);
/* Writes the slot as it stands in group->slots. */
int steer_group_write(const struct steer_group *group, int slot);
/* From now on no flow is this slot's; those that it has move with their next datagram. */
int steer_group_expel(struct steer_group *group, int slot);

#endif
