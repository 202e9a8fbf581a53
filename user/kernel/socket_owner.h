/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which process holds a socket: /proc says it, one link for each descriptor. */
#ifndef SLUICE_KERNEL_SOCKET_OWNER_H
#define SLUICE_KERNEL_SOCKET_OWNER_H

#include "kernel/inet.h"

/*
 * Fills in pid and process of the sockets; the first process that holds one counts.  A process
 * that we may not look into (another user's without CAP_SYS_PTRACE, another pid namespace's) is
 * passed over.  0 or -errno.
 */
int socket_owner_find(struct inet_socket *socket, size_t count);

#endif
