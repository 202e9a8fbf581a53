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
 * Selects the sockets of a snapshot. A walk visits every file of the host in any case, but a socket
 * that it leaves out costs a tenth of one that it records.
 */
struct sockets_filter {
	bool groups;	    /* only members of reuseport groups */
	bool programs;	    /* only members of groups with a program */
	uint32_t netns;	    /* inode number; 0: all */
	struct ports ports; /* local ports of the sockets */
};

/*
 * Takes a snapshot; without @filter, of all UDP sockets. Returns -errno if the kernel lacks or
 * forbids the task_file iterator (5.8).
 */
int sockets_read(struct sockets **sockets, const struct sockets_filter *filter, struct err *err);
/*
 * Reads the record of a socket as it is now, through a descriptor of this process. Returns 0,
 * -ESTALE if this process does not hold the socket, or -errno. Since Linux 6.1, this takes
 * microseconds; before, it takes a walk.
 */
int sockets_read_own(__u64 cookie, struct sluice_socket_record *record);
/* Is this a process of sluice? Such a process holds other processes' sockets for a moment. */
bool sockets_is_sluice(__u32 pid);
/*
 * Finds a process that holds the socket: that with the lowest pid, and one of sluice only if no
 * other holds it. Returns NULL if none does. @sockets may be NULL.
 */
const struct sluice_socket_record *sockets_find(const struct sockets *sockets, __u64 cookie);
/* Returns another process that holds the socket of @record, or NULL after the last one. */
const struct sluice_socket_record *sockets_next_holder(const struct sluice_socket_record *record);
/* Returns each socket once, in no particular order, then NULL. */
const struct sluice_socket_record *sockets_at(const struct sockets *sockets, size_t index);
/* Returns the text to show for a socket that no process in @sockets holds. */
const char *sockets_no_owner(const struct sockets *sockets);
void sockets_free(struct sockets *sockets);

#endif
