/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Removes what is left of a group after a loader died, or after a pin of it was removed. */
#ifndef SLUICE_STEER_GROUP_REMAINS_H
#define SLUICE_STEER_GROUP_REMAINS_H

struct sluice_socket_record;

/*
 * Frees the sockets of a steering program for another group: the kernel frees its map late, and a
 * socket is in one such map at most.
 */
void steer_sockets_forget(int prog_fd);

/*
 * Detaches the pinned program from the group, frees its sockets for another group, and removes the
 * pins. Without the pin of the program, there is nothing that identifies the group. Returns the
 * number of pins. If the program was detached, *@of is a socket of its group, otherwise
 * of->group_prog is 0.
 */
int steer_group_remains_remove(const char *dir, const char *name, struct sluice_socket_record *of);

#endif
