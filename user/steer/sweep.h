/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A sweep compares the sockets of all processes, the pinned groups, and the program of each
 * reuseport group in the kernel. The id of the program links a pinned group to a kernel group. The
 * address of the kernel's group cannot be used, since it changes when the group grows.
 */
#ifndef SLUICE_STEER_SWEEP_H
#define SLUICE_STEER_SWEEP_H

#include "base/err.h"
#include "steer/sweep_group.h"

/*
 * Runs one sweep under the lock, with the settings of the last load. Returns 0, or -errno with *err
 * set; -ENOENT if steer is not loaded.
 */
int steer_sweep(struct steer_loader *loader, const char *bpffs, steer_event_fn fn, void *arg,
		struct err *err);
/* Returns the settings for the groups, from the record of the load. */
struct steer_setting steer_setting_of(const struct sluice_steer_meta *meta);
/* Updates groups and slots to match the open sockets. The caller holds the lock. */
int steer_sweep_run(struct steer_sweep *sweep, struct err *err);
/* Returns all groups to the kernel's choice. Returns the number of pins removed, or -errno. */
int steer_sweep_release(struct steer_sweep *sweep, struct err *err);

#endif
