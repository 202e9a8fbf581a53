/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finds the owner of a group's socket among the processes that hold it. The owner may change: a
 * server daemonizes after bind(2), a master passes a socket to a worker, systemd to a service.
 */
#ifndef SLUICE_STEER_GROUP_OWNER_H
#define SLUICE_STEER_GROUP_OWNER_H

#include "process/sockets.h"
#include "steer/group/group.h"

#include <stdbool.h>

/* Does the process hold the socket? @sockets may be NULL. */
bool owner_holds(const struct sockets *sockets, __u64 cookie, __u32 pid);
/*
 * Returns the owner among the holders of a socket; @first is the first holder. The owner is a
 * server that init or another service manager has started and given the socket to; if there is
 * none, it is the process with the lowest pid. Returns NULL if no process except sluice holds the
 * socket.
 */
const struct sluice_socket_record *owner_among(const struct sluice_socket_record *first);
/*
 * Returns the owner of a slot's socket: the process that the slot names, if it still holds the
 * socket and is not init; otherwise as owner_among(). Returns NULL if no process except sluice
 * holds the socket.
 */
const struct sluice_socket_record *owner_of(const struct sockets *sockets,
					    const struct sluice_steer_slot *slot);
/* Counts the holders of a socket, except sluice and init. @first is the first holder. */
int owners_count(const struct sluice_socket_record *first);
/* Updates pid, name and instance of the slots whose socket has a new owner. */
void owners_update(struct steer_group *group, const struct sockets *sockets,
		   enum sluice_steer_generations by);

#endif
