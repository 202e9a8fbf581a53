// SPDX-License-Identifier: GPL-2.0-or-later
#include "host/daemon_lock.h"

#include "kernel/pins.h"
#include "kernel/pins_lock.h"

#include <errno.h>
#include <fcntl.h>
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
		    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/*
 * Returns the process that holds the lock of a file, from /proc/locks; 0 if it is not in this PID
 * namespace.
 */
static int lock_owner(int fd)
{
	FILE *locks = fopen("/proc/locks", "re");
	unsigned int major, minor;
	unsigned long inode;
	struct stat st = { 0 };
	int pid, owner = 0;
	char line[256];

	if (!locks)
		return 0;
	fstat(fd, &st);
	while (!owner && fgets(line, sizeof(line), locks))
		if (sscanf(line, "%*d: FLOCK %*s WRITE %d %x:%x:%lu", &pid, &major, &minor,
			   &inode) == 4 &&
		    inode == st.st_ino && makedev(major, minor) == st.st_dev)
			owner = pid;
	fclose(locks);
	return owner;
}

/*
 * Locks without waiting for a daemon. daemon_lock_holder() briefly holds a shared lock, which looks
 * like the lock of a daemon in another PID namespace. An exclusive lock is therefore tried again,
 * unless a daemon of this PID namespace holds it.
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

int daemon_lock_take(const char *bpffs, struct err *err)
{
	char path[PATH_MAX], owner[32] = "in another PID namespace";
	struct pins pins;
	int fd = -1, pid, result;

	/* an exiting daemon holds this lock while it removes the directory */
	result = pins_lock(&pins, bpffs, true, err);
	if (result)
		return result;
	pins_path(bpffs, DAEMON_LOCK_DIR, NULL, path);
	result = pins_have_object(bpffs, DAEMON_LOCK_DIR, err);
	if (result < 0)
		goto out;
	if (!mkdir(path, 0700) || errno == EEXIST)
		fd = folder_open(bpffs);
	if (fd < 0) {
		result = err_set(err, EXIT_ERROR, errno, "%s: %s", path, strerror(errno));
	} else if (lock_get(fd, LOCK_EX)) {
		result = fd;
	} else {
		pid = lock_owner(fd);
		if (pid > 0)
			snprintf(owner, sizeof(owner), "process %d", pid);
		result = err_hint(err,
				  err_set(err, EXIT_CONFLICT, EBUSY,
					  "pin directory %s is in use by another 'sluice run', %s",
					  bpffs, owner),
				  "stop that daemon, or name another pin directory with --bpffs");
		close(fd);
	}
out:
	pins_unlock(&pins);
	return result;
}

bool daemon_lock_is_lost(const char *bpffs, int lock_fd)
{
	struct stat locked, named;
	char path[PATH_MAX];

	return stat(pins_path(bpffs, DAEMON_LOCK_DIR, NULL, path), &named) ||
	       fstat(lock_fd, &locked) || locked.st_ino != named.st_ino ||
	       locked.st_dev != named.st_dev;
}

void daemon_lock_release(const char *bpffs, int lock_fd)
{
	char path[PATH_MAX];
	struct pins pins;
	int locked = pins_lock(&pins, bpffs, false, &(struct err){ 0 });

	/* another daemon may have replaced the directory */
	if (!daemon_lock_is_lost(bpffs, lock_fd))
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
