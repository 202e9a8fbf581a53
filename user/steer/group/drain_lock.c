// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Uses open file description locks, because closing any descriptor of the directory would release a
 * traditional POSIX lock. The locks are read locks, because a directory cannot be opened for
 * writing; F_OFD_GETLK for a write lock detects them.
 */
#include "steer/group/drain_lock.h"

#include "kernel/pins.h"

#include <errno.h>
#include <fcntl.h>

static int folder_open(struct steer_group *group)
{
	char path[PATH_MAX];

	if (group->drain_lock_fd < 0)
		group->drain_lock_fd = open(pins_path(group->dir, group->name, NULL, path),
					    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return group->drain_lock_fd < 0 ? -errno : 0;
}

static int lock_call(struct steer_group *group, int command, int slot, struct flock *lock)
{
	int result = folder_open(group);

	lock->l_whence = SEEK_SET;
	lock->l_start = slot;
	lock->l_len = 1;
	if (result)
		return result;
	return fcntl(group->drain_lock_fd, command, lock) ? -errno : 0;
}

int drain_lock_take(struct steer_group *group, int slot)
{
	return lock_call(group, F_OFD_SETLK, slot, &(struct flock){ .l_type = F_RDLCK });
}

bool drain_lock_other(struct steer_group *group, int slot)
{
	struct flock lock = { .l_type = F_WRLCK };

	return lock_call(group, F_OFD_GETLK, slot, &lock) || lock.l_type != F_UNLCK;
}

bool drain_lock_any(struct steer_group *group)
{
	/* length 0: all slots */
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	int result = folder_open(group);

	if (result)
		return result != -ENOENT;
	return fcntl(group->drain_lock_fd, F_OFD_GETLK, &lock) || lock.l_type != F_UNLCK;
}

bool drain_lock_is_stale(struct steer_group *group, int slot)
{
	return group->slots[slot].state == SLUICE_STEER_DRAINING && !drain_lock_other(group, slot);
}

bool drain_lock_any_stale(struct steer_group *group)
{
	int slot;

	for (slot = 0; slot < SLUICE_STEER_SLOTS; slot++)
		if (drain_lock_is_stale(group, slot))
			return true;
	return false;
}
