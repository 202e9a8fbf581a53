/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Attaches and detaches the program of a reuseport group, unless the server has attached its own
 * program since the walk over the sockets.
 *
 * The kernel replaces the program of a group unconditionally. So both functions read the group
 * again immediately before. A server loses its program only if it attaches the program in the
 * microseconds in between.
 */
#ifndef SLUICE_STEER_GROUP_ATTACH_H
#define SLUICE_STEER_GROUP_ATTACH_H

#include <sluice/sockets.h>

/* A socket of a group, for setting the options of the group. */
struct steer_member {
	const struct sluice_socket_record *record;
	int fd; /* -1: none */
	__u64 cookie;
};

/*
 * Attaches a program to a group, if the group still has the program in member->record, or still has
 * none. Returns 0; -EEXIST if the group now has another program; -ESTALE if the descriptor now
 * refers to a socket of another group; or an error of sockets_read_own() or
 * process_socket_attach().
 */
int steer_attach(const struct steer_member *member, int prog_fd);
/*
 * Detaches program @prog_id from the group of @record. Returns 0; -ENOENT if the group has another
 * program, or none; -ESTALE if the socket is gone; or an error of sockets_read_own(),
 * process_socket_take() or process_socket_detach().
 */
int steer_detach(const struct sluice_socket_record *record, __u32 prog_id);

#endif
