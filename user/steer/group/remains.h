/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Removes the remains of a group that has lost a pin, whose loader died, or that a load of another
 * ABI version replaces.
 */
#ifndef SLUICE_STEER_GROUP_REMAINS_H
#define SLUICE_STEER_GROUP_REMAINS_H

#include <stdbool.h>

struct sluice_socket_record;

/*
 * Removes the sockets from the map of a steering program, so that another group can take them: a
 * socket can be in only one such map, and the kernel frees the map later.
 */
void steer_sockets_forget(int prog_fd);

/* Calls steer_sockets_forget() for the pinned program of a group. */
void steer_group_remains_forget(const char *dir, const char *name);
/* Returns true if a drain of the group's sockets is in progress, by any version. */
bool steer_group_remains_drain(const char *dir, const char *name);
/*
 * Detaches the pinned program from the group, removes the sockets from its map, and removes the
 * pins. Does not detach if the pin of the program is missing, because only the program identifies
 * the group. Returns the number of removed pins. Sets *of to a socket of the group if the program
 * was detached, otherwise sets of->group_prog to 0.
 */
int steer_group_remains_remove(const char *dir, const char *name, struct sluice_socket_record *of);

#endif
