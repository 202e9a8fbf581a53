/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A sweep compares three things: the sockets of the processes, the groups that are pinned, and the
 * program that each kernel group has.  The program's id ties the second to the third, since the
 * kernel's own record of a group moves in memory when it grows.  What it finds and does, it tells.
 */
#ifndef SLUICE_STEER_SWEEP_H
#define SLUICE_STEER_SWEEP_H

#include "base/err.h"
#include "steer/sweep_group.h"

/* Brings groups and slots in step with the sockets that there are.  The caller holds the lock. */
int steer_sweep_run(struct steer_sweep *sweep, struct err *err);
/* Gives all groups back to the kernel's choice: the number of pins removed, or -errno. */
int steer_sweep_release(struct steer_sweep *sweep, struct err *err);

#endif
