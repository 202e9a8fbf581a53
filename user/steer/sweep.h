/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A sweep compares the sockets of all processes, the pinned groups, and the program of each
 * reuseport group in the kernel. The id of the program links a pinned group to a kernel group. The
 * address of the kernel's group would not do: it changes when the group grows.
 */
#ifndef SLUICE_STEER_SWEEP_H
#define SLUICE_STEER_SWEEP_H

#include "base/err.h"
#include "steer/sweep_group.h"

/* Updates groups and slots to match the open sockets. The caller holds the lock. */
int steer_sweep_run(struct steer_sweep *sweep, struct err *err);
/* Returns all groups to the kernel's choice. Returns the number of pins removed, or -errno. */
int steer_sweep_release(struct steer_sweep *sweep, struct err *err);

#endif
