// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Locks of open file descriptions, since a process loses its classic ones when it closes any
 * descriptor of the folder.  They are for reading, as a folder can't be opened to be written; it is
 * a writer's lock that they are asked about.
 */
#include "steer_drainer.h"

#include "pins.h"

#include <errno.h>
#include <fcntl.h>

static int lock_call(struct steer_group *group, int command, int slot, struct flock *lock)
{
	char path[PATH_MAX];

	lock->l_whence = SEEK_SET;
	lock->l_start = slot;
	lock->l_len = 1;
	if (group->drainer_fd < 0)
		group->drainer_fd = open(pins_path(group->dir, group->name, NULL, path),
					 O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return group->drainer_fd < 0 || fcntl(group->drainer_fd, command, lock) ? -errno : 0;
}

int steer_drainer_begin(struct steer_group *group, int slot)
{
	return lock_call(group, F_OFD_SETLK, slot, &(struct flock){ .l_type = F_RDLCK });
}

bool steer_drainer_other(struct steer_group *group, int slot)
{
	struct flock lock = { .l_type = F_WRLCK };

	return lock_call(group, F_OFD_GETLK, slot, &lock) || lock.l_type != F_UNLCK;
}

bool steer_drainer_gone(struct steer_group *group, int slot)
{
	return group->slots[slot].state == SLUICE_STEER_DRAINING &&
	       !steer_drainer_other(group, slot);
}

bool steer_drainer_any_gone(struct steer_group *group)
{
	int slot;

	for (slot = 0; slot < SLUICE_STEER_SLOTS; slot++)
		if (steer_drainer_gone(group, slot))
			return true;
	return false;
}
