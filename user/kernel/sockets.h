/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which processes hold which UDP sockets, in all network namespaces of this PID namespace. */
#ifndef SLUICE_KERNEL_SOCKETS_H
#define SLUICE_KERNEL_SOCKETS_H

#include "base/err.h"

#include <sluice/sockets.h>
#include <stdbool.h>
#include <stddef.h>

struct sockets;

/* A snapshot of now. -errno if the kernel has no task_file iterator (5.8) or forbids it. */
int sockets_read(struct sockets **sockets, struct err *err);
/* Is the process one of sluice, which holds sockets of others for a look, or to drain them? */
bool sockets_is_sluice(__u32 pid);
/* The same as sockets_read() without what such processes hold. */
int sockets_read_others(struct sockets **sockets, struct err *err);
/* The process with the lowest pid that holds the socket, or NULL. `sockets` may be NULL. */
const struct sluice_socket_record *sockets_find(const struct sockets *sockets, __u64 cookie);
/* The sockets, each once, in no order: NULL behind the last one. */
const struct sluice_socket_record *sockets_at(const struct sockets *sockets, size_t index);
/* What stands for the process of a socket that nobody in `sockets` holds. */
const char *sockets_no_owner(const struct sockets *sockets);
void sockets_free(struct sockets *sockets);

/*
 * A descriptor of our own for the socket that a process holds, by pidfd_getfd(2), for the caller to
 * close.  It is the record's socket and no other that got its number since: -ESTALE if not, or if
 * the process is gone; -EPERM without CAP_SYS_PTRACE.  *cookie is the socket's, which it has from
 * now on if it had none.
 */
int sockets_take(const struct sluice_socket_record *record, __u64 *cookie);

/* The receive queue of a socket, in bytes of the kernel's memory (SO_MEMINFO). */
struct socket_memory {
	__u32 used;
	__u32 room;
	__u32 drops; /* datagrams, since the socket was made; wraps */
};

/* 0 or -errno, with *memory untouched. */
int sockets_memory(int fd, struct socket_memory *memory);

#endif
