/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Locks on the slots that are being drained: an advisory lock on the group's pin directory, one
 * byte per slot. The kernel drops a lock with its process, and all PID namespaces see it; a
 * process id in the slot would need a start time, and would be valid only in one PID namespace.
 */
#ifndef SLUICE_STEER_GROUP_DRAIN_LOCK_H
#define SLUICE_STEER_GROUP_DRAIN_LOCK_H

#include "steer/group/group.h"

#include <stdbool.h>

/* Locks a slot, shared with other drains, until the group is closed. Returns 0 or -errno. */
int drain_lock_take(struct steer_group *group, int slot);
/* Does another opener of the group hold a lock on the slot? Returns true on error. */
bool drain_lock_other(struct steer_group *group, int slot);
/* Is the slot draining without a lock, because its drain was killed? */
bool drain_lock_is_stale(struct steer_group *group, int slot);
bool drain_lock_any_stale(struct steer_group *group);

#endif
