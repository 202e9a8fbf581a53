// SPDX-License-Identifier: GPL-2.0-or-later
#include "host/daemon_lock.h"

#include "kernel/pins.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#define GET_TRIES   10
#define GET_WAIT_NS 20000000L

static int folder_open(const char *bpffs)
{
	char path[PATH_MAX];

	return open(pins_path(bpffs, DAEMON_LOCK_DIR, NULL, path),
		    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* The process that locks a file, from /proc/locks; 0 if this pid namespace does not have it. */
static int lock_owner(int fd)
{
	FILE *locks = fopen("/proc/locks", "re");
	unsigned int major, minor;
	unsigned long inode;
	struct stat st = { 0 };
	int pid, owner = 0;
	char line[256];

	fstat(fd, &st);
	while (locks && !owner && fgets(line, sizeof(line), locks))
		if (sscanf(line, "%*d: FLOCK %*s WRITE %d %x:%x:%lu", &pid, &major, &minor,
			   &inode) == 4 &&
		    inode == st.st_ino && makedev(major, minor) == st.st_dev)
			owner = pid;
	if (locks)
		fclose(locks);
	return owner;
}

static int taken(const char *bpffs, int fd, struct err *err)
{
	int pid = lock_owner(fd);
	char who[32] = "of another pid namespace";

	if (pid > 0)
		snprintf(who, sizeof(who), "process %d", pid);
	return err_hint(err,
			err_set(err, EXIT_CONFLICT, EBUSY,
				"pins folder %s: 'sluice run' has it already, %s", bpffs, who),
			"end that one first, or give this one a folder of its own with --bpffs");
}

/*
 * Whoever asks for the holder shares the lock for a moment, and would pass for a daemon that nobody
 * can see: that one is asked for again.
 */
static bool lock_get(int fd, int operation)
{
	const struct timespec pause = { .tv_nsec = GET_WAIT_NS };
	int tries;

	for (tries = 0; tries < GET_TRIES; tries++) {
		if (!flock(fd, operation | LOCK_NB))
			return true;
		if (errno != EINTR && (operation == LOCK_SH || lock_owner(fd)))
			return false;
		nanosleep(&pause, NULL);
	}
	return false;
}

static int take_locked(const char *bpffs, struct err *err)
{
	char path[PATH_MAX];
	int fd, result;

	pins_path(bpffs, DAEMON_LOCK_DIR, NULL, path);
	if (mkdir(path, 0700) && errno != EEXIST)
		return err_set(err, EXIT_ERROR, errno, "%s: %s", path, strerror(errno));
	fd = folder_open(bpffs);
	if (fd < 0)
		return err_set(err, EXIT_ERROR, errno, "%s: %s", path, strerror(errno));
	if (lock_get(fd, LOCK_EX))
		return fd;
	result = taken(bpffs, fd, err);
	close(fd);
	return result;
}

/* Under the lock of the pins, so that nobody removes the folder that is being claimed. */
int daemon_lock_take(const char *bpffs, struct err *err)
{
	struct pins pins;
	int result = pins_lock(&pins, bpffs, true, err);

	if (result)
		return result;
	result = take_locked(bpffs, err);
	pins_unlock(&pins);
	return result;
}

void daemon_lock_release(const char *bpffs, int lock_fd)
{
	char path[PATH_MAX];
	struct pins pins;
	int locked = pins_lock(&pins, bpffs, false, &(struct err){ 0 });

	rmdir(pins_path(bpffs, DAEMON_LOCK_DIR, NULL, path));
	close(lock_fd);
	if (!locked)
		pins_unlock(&pins);
}

int daemon_lock_holder(const char *bpffs)
{
	int fd = folder_open(bpffs), pid = 0;

	if (fd < 0)
		return 0;
	if (!lock_get(fd, LOCK_SH)) {
		pid = lock_owner(fd);
		pid = pid ? pid : -1;
	}
	close(fd);
	return pid;
}
