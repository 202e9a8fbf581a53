/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds the process that holds a socket, through the links in /proc/PID/fd. */
#ifndef SLUICE_NET_SOCKET_OWNER_H
#define SLUICE_NET_SOCKET_OWNER_H

#include "net/inet.h"

/*
 * Sets pid and process of each socket to the first process that holds it. Skips inaccessible
 * processes: those of other users without CAP_SYS_PTRACE, and those of other PID namespaces.
 * Returns 0 or -errno.
 */
int socket_owner_find(struct inet_socket *socket, size_t count);

#endif
