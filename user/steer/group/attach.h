/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Attaches and detaches the program of a reuseport group, unless its server has attached one of its
 * own since the walk over the sockets.
 *
 * The kernel replaces a group's program without a condition. So the group is read again right
 * before; only a server that attaches its program in the microseconds that are left loses it.
 */
#ifndef SLUICE_STEER_GROUP_ATTACH_H
#define SLUICE_STEER_GROUP_ATTACH_H

#include <sluice/sockets.h>

/* A socket of a group, to set its options through. */
struct steer_member {
	const struct sluice_socket_record *record;
	int fd; /* -1: none */
	__u64 cookie;
};

/*
 * Attaches a program to a group that has the program of member->record, or that has none as the
 * record says. Returns 0, -EEXIST if the group has another one by now, -ESTALE if the descriptor's
 * number was given to a socket of another group, or an error of sockets_read_own() or
 * process_socket_attach().
 */
int steer_attach(const struct steer_member *member, int prog_fd);
/*
 * Detaches the program with this id from the group of @record. Returns 0, -ENOENT if the group has
 * none or another one, -ESTALE if the socket is gone, or an error of sockets_read_own(),
 * process_socket_take() or process_socket_detach().
 */
int steer_detach(const struct sluice_socket_record *record, __u32 prog_id);

#endif
