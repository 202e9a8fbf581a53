/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Marks the slots that are being drained with advisory locks on the group's pin directory, one byte
 * per slot. The kernel releases a lock when its process exits, and locks are visible in all PID
 * namespaces. Rejected: a process id in the slot, which would also need a start time, and is valid
 * only in one PID namespace.
 */
#ifndef SLUICE_STEER_GROUP_DRAIN_LOCK_H
#define SLUICE_STEER_GROUP_DRAIN_LOCK_H

#include "steer/group/group.h"

#include <stdbool.h>

/* Locks a slot until the group is closed. Several drains may hold the lock. Returns 0 or -errno. */
int drain_lock_take(struct steer_group *group, int slot);
/* Returns true if another drain holds a lock on the slot, or on error. */
bool drain_lock_other(struct steer_group *group, int slot);
/* Returns true if another drain holds a lock on any slot, or on error. Needs no open maps. */
bool drain_lock_any(struct steer_group *group);
/* Returns true if the slot is draining but not locked, since its drain was killed. */
bool drain_lock_is_stale(struct steer_group *group, int slot);
bool drain_lock_any_stale(struct steer_group *group);

#endif
