/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who is at work on a slot that is draining: said by a lock on the group's folder of pins, one byte
 * for each slot.  A lock ends with its process, however that ends, and is seen from all PID
 * namespaces; a process id in the slot would need its start time beside it, and a reader that has
 * the same namespace.
 */
#ifndef SLUICE_STEER_GROUP_DRAIN_LOCK_H
#define SLUICE_STEER_GROUP_DRAIN_LOCK_H

#include "steer/group/group.h"

#include <stdbool.h>

/* A drain is at work on the slot until the group is closed; others may be, too. 0 or -errno. */
int drain_lock_take(struct steer_group *group, int slot);
/* Is one at work that has opened the group elsewhere?  True where that can't be told. */
bool drain_lock_other(struct steer_group *group, int slot);
/* Is the slot draining, and nobody at work on it any more? */
bool drain_lock_is_stale(struct steer_group *group, int slot);
/* Is there such a slot? */
bool drain_lock_any_stale(struct steer_group *group);
/*
 * The sockets of the group are emptied by one drain at a time, as each turns an option on for it
 * and off again.  Waits until the other one is done, however long that takes. 0 or -errno.
 */
int drain_lock_is_alone(struct steer_group *group);
void drain_lock_share(struct steer_group *group);

#endif
