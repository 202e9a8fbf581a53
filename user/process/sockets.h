/* SPDX-License-Identifier: GPL-2.0-or-later */
/* UDP sockets and their processes, in all network namespaces of this PID namespace. */
#ifndef SLUICE_PROCESS_SOCKETS_H
#define SLUICE_PROCESS_SOCKETS_H

#include "base/err.h"
#include "base/ports.h"

#include <sluice/sockets.h>
#include <stdbool.h>
#include <stddef.h>

struct sockets;

/*
 * Selects the sockets of a snapshot. A walk always visits every open file of the host, but skipping
 * a socket costs only a tenth of recording it.
 */
struct sockets_filter {
	bool groups;	    /* only members of reuseport groups */
	bool programs;	    /* only members of groups with a program */
	uint32_t netns;	    /* inode number; 0: all */
	struct ports ports; /* local ports of the sockets */
};

/*
 * Takes a snapshot; @filter is NULL for all UDP sockets. Returns -errno if the kernel lacks or
 * forbids the task_file iterator (5.8).
 */
int sockets_read(struct sockets **sockets, const struct sockets_filter *filter, struct err *err);
/*
 * Reads the current record of a socket that this process holds. Returns 0, -ESTALE if this process
 * does not hold the socket, or -errno. Takes microseconds since Linux 6.1; older kernels need a
 * complete walk.
 */
int sockets_read_own(__u64 cookie, struct sluice_socket_record *record);
/* Returns true for a process of sluice, which may briefly hold sockets of other processes. */
bool sockets_is_sluice(__u32 pid);
/*
 * Finds the process with the lowest pid that holds the socket; prefers other processes to those of
 * sluice. Returns NULL if no process holds it. @sockets may be NULL.
 */
const struct sluice_socket_record *sockets_find(const struct sockets *sockets, __u64 cookie);
/* Returns the next process that holds the socket of @record, or NULL after the last process. */
const struct sluice_socket_record *sockets_next_holder(const struct sluice_socket_record *record);
/* Returns the socket at @index, in no particular order, or NULL after the last socket. */
const struct sluice_socket_record *sockets_at(const struct sockets *sockets, size_t index);
/* Returns the text that replaces the owner of a socket that no process in @sockets holds. */
const char *sockets_no_owner(const struct sockets *sockets);
void sockets_free(struct sockets *sockets);

#endif
