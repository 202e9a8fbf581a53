/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which start of a server a process belongs to: what two processes have in common if and only if
 * the operator started them as one.
 */
#ifndef SLUICE_STEER_GROUP_INSTANCE_H
#define SLUICE_STEER_GROUP_INSTANCE_H

#include <linux/types.h>
#include <sluice/steer.h>

/*
 * By process: the topmost of the process's ancestors that it came from by fork(2) alone, as workers
 * do from their master; its start time and id.  A supervisor that starts other programs is no such,
 * be they the same executable, and neither is a master that has started a new one (nginx, USR2). By
 * cgroup: the inode number of its cgroup2.  By none: 1. 0 if the process is gone.
 */
__u64 instance_of(__u32 pid, enum sluice_steer_generations by);

#endif
