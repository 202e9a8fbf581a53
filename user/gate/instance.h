/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which start of a server a process belongs to: what two processes have in common if and only if
 * the operator started them as one.
 */
#ifndef SLUICE_INSTANCE_H
#define SLUICE_INSTANCE_H

#include <linux/types.h>
#include <sluice/steer.h>

/*
 * By process: the topmost of the process's ancestors that run the same executable, as a master and
 * its workers do; its start time and id.  By cgroup: the inode number of its cgroup2.  By none: 1.
 * 0 if the process is gone.
 */
__u64 instance_of(__u32 pid, enum sluice_steer_generations by);

#endif
