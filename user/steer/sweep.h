/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A sweep compares the sockets of the processes, the pinned groups, and the program of each kernel
 * group. The program's id links a pinned group to a kernel group, since the kernel moves its own
 * record of a group in memory when the group grows.
 */
#ifndef SLUICE_STEER_SWEEP_H
#define SLUICE_STEER_SWEEP_H

#include "base/err.h"
#include "steer/sweep_group.h"

/* Updates groups and slots to match the open sockets. The caller holds the lock. */
int steer_sweep_run(struct steer_sweep *sweep, struct err *err);
/* Gives all groups back to the kernel's choice. Returns the number of pins removed, or -errno. */
int steer_sweep_release(struct steer_sweep *sweep, struct err *err);

#endif
