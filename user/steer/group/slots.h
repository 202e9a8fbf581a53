/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The slots of a group, one per socket. */
#ifndef SLUICE_STEER_GROUP_SLOTS_H
#define SLUICE_STEER_GROUP_SLOTS_H

#include "process/sockets.h"
#include "steer/group/group.h"

#include <stdbool.h>

/* Returns the slot of a socket, or -1 if it has none. */
int steer_group_slot(const struct steer_group *group, __u64 cookie);
/*
 * Assigns a slot to a socket. Returns the slot, -ENOSPC if no slot is free, or -EBUSY if the socket
 * is in another map.
 */
int steer_group_join(struct steer_group *group, int socket_fd, __u64 cookie,
		     const struct sluice_socket_record *record, __u64 instance);
/* Frees a slot and removes its socket, unless the kernel has removed it on close. */
int steer_group_leave(struct steer_group *group, int slot);
/*
 * Removes all sockets of a detached group from its map: a socket can be in only one such map, and
 * the kernel frees the map later.
 */
void steer_group_forget(const struct steer_group *group);
/* Returns true if the slot's socket is still in the group. */
bool steer_group_holds(const struct steer_group *group, int slot);
/* Writes group->slots[slot] to the map. */
int steer_group_write(const struct steer_group *group, int slot);
/* Invalidates the flows of a slot: each flow moves to another slot with its next datagram. */
int steer_group_expel(struct steer_group *group, int slot);

#endif
