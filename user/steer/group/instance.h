/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds the server instance of a process. The processes of an instance were started together. */
#ifndef SLUICE_STEER_GROUP_INSTANCE_H
#define SLUICE_STEER_GROUP_INSTANCE_H

#include <linux/types.h>
#include <sluice/steer.h>
#include <stdbool.h>

/*
 * Returns the id of the instance, or 0 if the process has exited.
 *
 * By process, the id is the start time and pid of the topmost ancestor that is related only by
 * fork(2), such as the master of a worker. An execve(2) ends the chain, even with the same
 * executable: below a supervisor, or below a master that has started its successor (nginx, USR2).
 * By cgroup, the id is the inode number of the cgroup2. By none, it is 1.
 */
__u64 instance_of(__u32 pid, enum sluice_steer_generations by);
/* Returns true if the process is a descendant of @ancestor. */
bool instance_is_below(__u32 pid, __u32 ancestor);

#endif
