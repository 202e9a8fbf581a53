// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/pins.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mounts.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LOCK_WAIT_S  5
#define LOCK_POLL_NS 20000000L
/* A process that has released the lock for others waits for this long. */
#define HAND_OVER_NS (3 * LOCK_POLL_NS)
/* Others wait for at least this long, since a holder that releases the lock reads its state again.
 */
#define HOLD_NS 500000000ULL
/* A load goes on when other commands have ended, however long they take. */
#define RELOCK_WAIT_S 600

const char *pins_path(const char *dir, const char *object, const char *name, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/%s%s%s", dir, object, name ? "/" : "", name ? name : "");
	return path;
}

const char *pins_staged_path(const char *dir, const char *object, const char *name,
			     char path[PATH_MAX])
{
	/* bpffs allows no dots in names */
	snprintf(path, PATH_MAX, "%s/%s/%s_new", dir, object, name);
	return path;
}

int pins_get(const char *dir, const char *object, const char *name)
{
	char path[PATH_MAX];
	int fd = bpf_obj_get(pins_path(dir, object, name, path));

	return fd < 0 ? -errno : fd;
}

/* Is the directory to be below a bpf file system? Returns 0, or -errno with *err set. */
static int check_parent(const char *dir, struct err *err)
{
	char copy[PATH_MAX];
	const char *parent;
	int is_bpffs;

	snprintf(copy, sizeof(copy), "%s", dir);
	parent = dirname(copy);
	is_bpffs = mounts_is_bpffs(parent);
	if (is_bpffs == 1)
		return 0;
	if (is_bpffs < 0)
		err_set(err, EXIT_ERROR, -is_bpffs, "pin directory %s: %s: %s", dir, parent,
			strerror(-is_bpffs));
	else
		err_set(err, EXIT_ERROR, ENOTDIR,
			"pin directory %s: %s is not on a bpf file system", dir, parent);
	return err_hint(
		err, is_bpffs < 0 ? is_bpffs : -ENOTDIR,
		"name a directory on a bpf file system, such as /sys/fs/bpf/sluice; '" PINS_MOUNT
		"' mounts one");
}

/*
 * Any user can create a directory, or a link to one, on a bpffs that others may write to: paths
 * below it must be neither trusted nor emptied.
 */
static int check_dir(const char *dir, const struct stat *st, struct err *err)
{
	bool own = st->st_uid == geteuid() || !st->st_uid;
	const struct passwd *owner;
	int result = check_parent(dir, err);

	if (result)
		return result;
	if (own && S_ISDIR(st->st_mode) && !(st->st_mode & (S_IWGRP | S_IWOTH)))
		return 0;
	if (own && S_ISDIR(st->st_mode))
		return err_hint(err,
				err_set(err, EXIT_CONFLICT, EPERM,
					"pin directory %s: others may write to it (mode %o)", dir,
					st->st_mode & 07777),
				"remove it with 'rm -r %s', or name another with --bpffs", dir);
	owner = getpwuid(st->st_uid);
	return err_hint(err,
			err_set(err, EXIT_CONFLICT, EPERM,
				"pin directory %s: a %s of user %u%s%s%s", dir,
				S_ISDIR(st->st_mode)   ? "directory"
				: S_ISLNK(st->st_mode) ? "symbolic link"
						       : "pin",
				st->st_uid, owner ? " (" : "", owner ? owner->pw_name : "",
				owner ? ")" : ""),
			"remove it with 'rm -r %s', and keep other users out with 'chmod 700' on"
			" the bpf file system; or name another directory with --bpffs",
			dir);
}

int pins_exist(const char *dir, const char *object, struct err *err)
{
	char path[PATH_MAX];
	struct stat st;
	int result;

	if (!lstat(dir, &st)) {
		result = check_dir(dir, &st, err);
		if (result)
			return result;
		if (!access(pins_path(dir, object, NULL, path), F_OK))
			return 1;
	}
	if (errno == ENOENT || errno == ENOTDIR)
		return 0;
	return err_hint(err,
			err_set(err, errno == EACCES ? EXIT_PERMISSION : EXIT_ERROR, errno,
				"%s/%s: %s", dir, object, strerror(errno)),
			"the pins belong to root: run as root, or with CAP_DAC_OVERRIDE");
}

static int make_dir(const char *dir, struct err *err)
{
	int result = check_parent(dir, err);

	if (result || !mkdir(dir, 0700) || errno == EEXIST)
		return result;
	return err_set(err, errno == EACCES || errno == EPERM ? EXIT_PERMISSION : EXIT_ERROR, errno,
		       "pin directory %s: %s", dir, strerror(errno));
}

static bool is_same_time(const struct timespec *one, const struct timespec *other)
{
	return one->tv_sec == other->tv_sec && one->tv_nsec == other->tv_nsec;
}

/* Sets the time of the last access of the directory, which the holder of the lock watches. */
static void announce(int dir_fd)
{
	const struct timespec times[2] = { { .tv_nsec = UTIME_NOW }, { .tv_nsec = UTIME_OMIT } };

	futimens(dir_fd, times);
}

/* Returns -EAGAIN if another process has the lock, or has removed the directory meanwhile. */
static int try_lock(struct pins *pins, bool create, struct err *err)
{
	int result = create ? make_dir(pins->dir, err) : 0;
	struct stat opened, named;

	if (result)
		return result;
	if (!lstat(pins->dir, &named)) {
		result = check_dir(pins->dir, &named, err);
		if (result)
			return result;
	}
	pins->fd = open(pins->dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (pins->fd < 0 && errno == ENOENT && create)
		return -EAGAIN;
	if (pins->fd < 0 || fstat(pins->fd, &opened)) {
		result = err_set(err, errno == EACCES ? EXIT_PERMISSION : EXIT_ERROR, errno,
				 "pin directory %s: %s", pins->dir, strerror(errno));
	} else if (flock(pins->fd, LOCK_EX | LOCK_NB)) {
		announce(pins->fd);
		result = -EAGAIN;
	} else if (stat(pins->dir, &named) || opened.st_ino != named.st_ino ||
		   opened.st_dev != named.st_dev) {
		/* A directory removed between open(2) and flock(2) makes the lock useless. */
		result = -EAGAIN;
	} else {
		/* the directory that was opened may be another than the one that lstat() saw */
		result = check_dir(pins->dir, &opened, err);
	}
	if (!result && !fstat(pins->fd, &opened)) {
		pins->accessed = opened.st_atim;
		pins->since_ns = clock_now_ns(CLOCK_MONOTONIC);
		return 0;
	}
	if (pins->fd >= 0)
		close(pins->fd);
	pins->fd = -1;
	return result;
}

static int lock_within(struct pins *pins, bool create, unsigned int seconds, struct err *err)
{
	__u64 deadline = clock_now_ns(CLOCK_MONOTONIC) + seconds * 1000000000ULL;
	const struct timespec pause = { .tv_nsec = LOCK_POLL_NS };
	bool waits = false;

	for (;;) {
		int result = try_lock(pins, create, err);

		if (result != -EAGAIN)
			return result;
		if (!waits)
			log_info("waiting for the lock on %s", pins->dir);
		waits = true;
		if (clock_now_ns(CLOCK_MONOTONIC) > deadline)
			break;
		nanosleep(&pause, NULL);
	}
	return err_hint(err,
			err_set(err, EXIT_CONFLICT, EBUSY,
				"pin directory %s: another sluice has locked it", pins->dir),
			"find the process with 'lsof %s', and try again when it is done",
			pins->dir);
}

int pins_lock(struct pins *pins, const char *dir, bool create, struct err *err)
{
	*pins = (struct pins){ .fd = -1 };
	if (snprintf(pins->dir, sizeof(pins->dir), "%s", dir) >= PATH_MAX - NAME_MAX)
		return err_set(err, EXIT_USAGE, ENAMETOOLONG,
			       "pin directory: the path is too long");
	return lock_within(pins, create, LOCK_WAIT_S, err);
}

static bool others_wait(const struct pins *pins)
{
	struct stat st;

	return pins->fd >= 0 && !fstat(pins->fd, &st) &&
	       !is_same_time(&st.st_atim, &pins->accessed);
}

bool pins_wanted(const struct pins *pins)
{
	return clock_now_ns(CLOCK_MONOTONIC) - pins->since_ns > HOLD_NS && others_wait(pins);
}

static void release(struct pins *pins)
{
	const struct timespec pause = { .tv_nsec = HAND_OVER_NS };
	bool wanted = others_wait(pins);

	close(pins->fd);
	pins->fd = -1;
	/* the others poll: this process would have the lock again before they do */
	if (wanted)
		nanosleep(&pause, NULL);
}

int pins_yield(struct pins *pins, struct err *err)
{
	release(pins);
	return lock_within(pins, false, RELOCK_WAIT_S, err);
}

void pins_unlock(struct pins *pins)
{
	if (pins->fd < 0)
		return;
	/* fails unless the directory is empty, as intended */
	rmdir(pins->dir);
	release(pins);
}

int pins_drop(const char *path)
{
	int fd = bpf_obj_get(path);

	if (fd >= 0) {
		/* fails harmlessly for a map or program */
		bpf_link_detach(fd);
		close(fd);
	}
	return unlink(path) ? -errno : 0;
}

int pins_remove_prefixed(const char *dir, const char *object, const char *prefix, struct err *err)
{
	char path[PATH_MAX], pin[PATH_MAX];
	struct dirent **entry;
	int i, removed = 0,
	       count = scandir(pins_path(dir, object, NULL, path), &entry, NULL, alphasort);

	if (count < 0)
		return errno == ENOENT
			       ? 0
			       : err_set(err, EXIT_ERROR, errno, "%s: %s", path, strerror(errno));
	if (!prefix)
		removed = !unlink(pins_path(dir, object, PINS_OWNER, pin));
	for (i = 0; i < count; i++) {
		const char *name = entry[i]->d_name;

		if (strcmp(name, ".") && strcmp(name, "..") &&
		    !(prefix && strncmp(name, prefix, strlen(prefix))) &&
		    !pins_drop(pins_path(dir, object, name, pin)))
			removed++;
		free(entry[i]);
	}
	free(entry);
	if (rmdir(path) && errno != ENOENT && !(prefix && errno == ENOTEMPTY))
		return err_set(err, EXIT_ERROR, errno, "%s: %s", path, strerror(errno));
	return removed;
}

int pins_remove(const char *dir, const char *object, struct err *err)
{
	return pins_remove_prefixed(dir, object, NULL, err);
}

static bool begins(const char *name, const char *prefix)
{
	return prefix && !strncmp(name, prefix, strlen(prefix));
}

char *pins_list(const char *dir, const char *object, const char *prefix, const char *except)
{
	char path[PATH_MAX], *list = NULL;
	struct dirent *entry;
	FILE *names;
	size_t size;
	DIR *folder = opendir(pins_path(dir, object, NULL, path));

	if (!folder)
		return NULL;
	names = open_memstream(&list, &size);
	while (names && (entry = readdir(folder)))
		if (entry->d_type == DT_REG && (!prefix || begins(entry->d_name, prefix)) &&
		    !begins(entry->d_name, except))
			fprintf(names, "%s%c", entry->d_name, '\0');
	if (names)
		fclose(names);
	closedir(folder);
	return list;
}

bool pins_lost(const char *dir, const char *object, const char *list, char lost[NAME_MAX])
{
	char path[PATH_MAX];

	for (; list && *list; list += strlen(list) + 1)
		if (access(pins_path(dir, object, list, path), F_OK) && errno == ENOENT) {
			snprintf(lost, NAME_MAX, "%s", list);
			return true;
		}
	return false;
}
