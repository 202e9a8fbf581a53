// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Locks of open file descriptions, since a process loses its classic ones when it closes any
 * descriptor of the folder.  They are for reading, as a folder can't be opened to be written; it is
 * a writer's lock that they are asked about.
 */
#include "steer/group/drain_lock.h"

#include "kernel/pins.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>

static int folder_open(struct steer_group *group)
{
	char path[PATH_MAX];

	if (group->drainer_fd < 0)
		group->drainer_fd = open(pins_path(group->dir, group->name, NULL, path),
					 O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return group->drainer_fd < 0 ? -errno : 0;
}

static int lock_call(struct steer_group *group, int command, int slot, struct flock *lock)
{
	int result = folder_open(group);

	lock->l_whence = SEEK_SET;
	lock->l_start = slot;
	lock->l_len = 1;
	if (result)
		return result;
	return fcntl(group->drainer_fd, command, lock) ? -errno : 0;
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

int steer_drainer_alone(struct steer_group *group)
{
	int result = folder_open(group);

	while (!result && flock(group->drainer_fd, LOCK_EX))
		result = errno == EINTR ? 0 : -errno;
	return result;
}

void steer_drainer_share(struct steer_group *group)
{
	flock(group->drainer_fd, LOCK_UN);
}
