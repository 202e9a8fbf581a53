/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Marks the slots that are being drained with advisory locks on the group's pin directory, one byte
 * per slot. The kernel releases a lock when its process exits, and locks are visible in all PID
 * namespaces. Rejected: a process id in the slot, which would need a start time and is valid only
 * in one PID namespace.
 */
#ifndef SLUICE_STEER_GROUP_DRAIN_LOCK_H
#define SLUICE_STEER_GROUP_DRAIN_LOCK_H

#include "steer/group/group.h"

#include <stdbool.h>

/* Locks a slot until the group is closed. Several drains may hold the lock. Returns 0 or -errno. */
int drain_lock_take(struct steer_group *group, int slot);
/* Does another drain hold a lock on the slot? Returns true on error. */
bool drain_lock_other(struct steer_group *group, int slot);
/* Does another drain hold a lock on any slot? Needs no open maps. Returns true on error. */
bool drain_lock_any(struct steer_group *group);
/* Is the slot draining, but without a lock, because its drain was killed? */
bool drain_lock_is_stale(struct steer_group *group, int slot);
bool drain_lock_any_stale(struct steer_group *group);

#endif
