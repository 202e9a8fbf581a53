/* SPDX-License-Identifier: GPL-2.0-or-later */
/* UDP sockets and their processes, in all network namespaces of this PID namespace. */
#ifndef SLUICE_KERNEL_SOCKETS_H
#define SLUICE_KERNEL_SOCKETS_H

#include "base/err.h"

#include <sluice/sockets.h>
#include <stdbool.h>
#include <stddef.h>

struct sockets;

/* Takes a snapshot. Returns -errno if the kernel lacks or forbids the task_file iterator (5.8). */
int sockets_read(struct sockets **sockets, struct err *err);
/* Is it a process of sluice? These hold other processes' sockets for a moment. */
bool sockets_is_sluice(__u32 pid);
/* Finds the process with the lowest pid that holds the socket, or NULL. @sockets may be NULL. */
const struct sluice_socket_record *sockets_find(const struct sockets *sockets, __u64 cookie);
/* Returns another process that holds the socket of @record, or NULL after the last one. */
const struct sluice_socket_record *sockets_next_holder(const struct sluice_socket_record *record);
/* Returns each socket once, in no particular order, then NULL. */
const struct sluice_socket_record *sockets_at(const struct sockets *sockets, size_t index);
/* Returns the text to show for a socket that no process in @sockets holds. */
const char *sockets_no_owner(const struct sockets *sockets);
void sockets_free(struct sockets *sockets);

/*
 * Duplicates a process's descriptor of the socket by pidfd_getfd(2); the caller closes it. Returns
 * the descriptor, -ESTALE if the process is gone or the number now refers to another socket,
 * -EPERM without CAP_SYS_PTRACE, or -EOPNOTSUPP if the main thread has exited and the kernel opens
 * no other thread (before Linux 6.9). Sets *cookie; the kernel assigns a cookie if there was none.
 */
int sockets_take(const struct sluice_socket_record *record, __u64 *cookie);

/* The receive queue of a socket, in bytes of kernel memory (SO_MEMINFO). */
struct socket_memory {
	__u32 used;
	__u32 room;
	__u32 drops; /* datagrams, since the socket was created; wraps */
};

/* Returns 0, or -errno with *memory unchanged. */
int sockets_memory(int fd, struct socket_memory *memory);

#endif
