/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which processes hold which UDP sockets, in all network namespaces of this PID namespace. */
#ifndef SLUICE_SOCKETS_LIST_H
#define SLUICE_SOCKETS_LIST_H

#include "err.h"

#include <sluice/sockets.h>

struct sockets;

/* A snapshot of now. -errno if the kernel has no task_file iterator (5.8) or forbids it. */
int sockets_read(struct sockets **sockets, struct err *err);
/* The process with the lowest pid that holds the socket, or NULL. `sockets` may be NULL. */
const struct sluice_socket_record *sockets_find(const struct sockets *sockets, __u64 cookie);
/* What stands for the process of a socket that nobody in `sockets` holds. */
const char *sockets_nobody(const struct sockets *sockets);
void sockets_free(struct sockets *sockets);

#endif
