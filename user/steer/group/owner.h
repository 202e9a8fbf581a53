/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The process that a socket of a group belongs to, of all that hold it. It changes: a server
 * daemonizes after bind(2), a master passes a socket to a worker, systemd to its service.
 */
#ifndef SLUICE_STEER_GROUP_OWNER_H
#define SLUICE_STEER_GROUP_OWNER_H

#include "kernel/sockets.h"
#include "steer/group/group.h"

#include <stdbool.h>

/* Does the process hold the socket? @sockets may be NULL. */
bool owner_holds(const struct sockets *sockets, __u64 cookie, __u32 pid);
/*
 * Returns the owner among the holders of a socket, of which @first is the first: a server that init
 * or another service manager has started and given the socket to; without such, the lowest pid.
 * Returns NULL if no process but sluice holds it.
 */
const struct sluice_socket_record *owner_among(const struct sluice_socket_record *first);
/*
 * Returns the owner of a slot's socket: the process that the slot names while it holds the socket,
 * unless that is init. Returns NULL if no process but sluice holds it.
 */
const struct sluice_socket_record *owner_of(const struct sockets *sockets,
					    const struct sluice_steer_slot *slot);
/*
 * Counts the processes that may read the socket, of which @first is the first holder: not sluice,
 * and not init.
 */
int owners_count(const struct sluice_socket_record *first);
/* Sets pid, name and instance of the slots whose socket has another owner now. */
void owners_update(struct steer_group *group, const struct sockets *sockets,
		   enum sluice_steer_generations by);

#endif
