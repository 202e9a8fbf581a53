/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finds the owner of a group's socket among the processes that hold it. The owner may change: a
 * server daemonizes after bind(2), a master passes a socket to a worker, or systemd passes it to a
 * service.
 */
#ifndef SLUICE_STEER_GROUP_OWNER_H
#define SLUICE_STEER_GROUP_OWNER_H

#include "process/sockets.h"
#include "steer/group/group.h"

#include <stdbool.h>

/* Returns true if the process holds the socket. @sockets may be NULL. */
bool owner_holds(const struct sockets *sockets, __u64 cookie, __u32 pid);
/*
 * Returns the owner among the holders of a socket; @first is the first holder. If init or another
 * service manager has started a server with the socket, that server is the owner, otherwise the
 * process with the lowest pid. Returns NULL if no process except sluice holds the socket.
 */
const struct sluice_socket_record *owner_among(const struct sluice_socket_record *first);
/*
 * Returns the owner of a slot's socket: the process recorded in the slot, if it still holds the
 * socket and is not init, otherwise the result of owner_among(). Returns NULL if no process except
 * sluice holds the socket.
 */
const struct sluice_socket_record *owner_of(const struct sockets *sockets,
					    const struct sluice_steer_slot *slot);
/* Counts the holders of a socket, except sluice and init. @first is the first holder. */
int owners_count(const struct sluice_socket_record *first);
/* Updates pid, comm and instance of the slots whose socket has a new owner. */
void owners_update(struct steer_group *group, const struct sockets *sockets,
		   enum sluice_steer_generations by);

#endif
