/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The instance of a server that a process belongs to: processes that were started together. */
#ifndef SLUICE_STEER_GROUP_INSTANCE_H
#define SLUICE_STEER_GROUP_INSTANCE_H

#include <linux/types.h>
#include <sluice/steer.h>
#include <stdbool.h>

/*
 * Returns an id of the instance, or 0 if the process has exited.
 *
 * By process: start time and pid of the topmost ancestor that is related only by fork(2), as a
 * worker is to its master. An execve(2) in between ends the chain, even of the same executable:
 * after a supervisor, or after a master that started its successor (nginx, USR2). By cgroup: inode
 * number of the cgroup2. By none: 1.
 */
__u64 instance_of(__u32 pid, enum sluice_steer_generations by);
/* Is the process a descendant of @ancestor? */
bool instance_is_below(__u32 pid, __u32 ancestor);

#endif
