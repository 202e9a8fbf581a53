// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/pins.h"

#include "base/clock.h"
#include "base/log.h"
#include "kernel/mounts.h"

#include <bpf/bpf.h>
#include <ctype.h>
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

#define BPFFS "/sys/fs/bpf"

#define LOCK_WAIT_S  5
#define LOCK_POLL_NS 20000000L
/* A process that has released the lock for others waits this long before it locks again. */
#define HAND_OVER_NS (3 * LOCK_POLL_NS)
/* A holder keeps the lock for at least this long, since after a release it must read its state
 * again.
 */
#define HOLD_NS 500000000ULL
/* A load that has released the lock waits this long for other commands, and then fails. */
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

const char *pins_bpffs_hint(const char *dir)
{
	return strncmp(dir, BPFFS "/", sizeof(BPFFS))
		       ? "name a directory on a bpffs with --bpffs, such as " BPFFS "/sluice"
		       : "below 'ip netns exec', use 'sluice --netns NAME' or 'nsenter --net' instead,"
			 " and 'nsenter --mount' in another mount namespace; otherwise mount it:"
			 " mount -t bpf -o mode=700 bpf " BPFFS;
}

/* Sets *err for a path that cannot be examined. */
static int path_error(const char *path, int error, struct err *err)
{
	err_set(err, EXIT_ERROR, error, "pin directory %s: %s", path, strerror(error));
	if (err->code == EXIT_PERMISSION)
		err_hint(err, -error,
			 "the pins belong to root: run as root, or with CAP_DAC_OVERRIDE");
	if (error == EROFS)
		err_hint(err, -error, PINS_READ_ONLY_HINT);
	/* the kernel reserves such names (bpf_lookup() in kernel/bpf/inode.c) */
	if (error == EPERM && strchr(path, '.'))
		return err_hint(err,
				err_set(err, EXIT_USAGE, EINVAL,
					"pin directory %s: a bpffs allows no dots in a name", path),
				"name another directory with --bpffs");
	return -error;
}

/* Copies the path, or its nearest parent that exists. Returns 0 or -errno. */
static int nearest_existing(const char *path, char at[PATH_MAX])
{
	struct stat st;
	char *parent;

	if (snprintf(at, PATH_MAX, "%s", path) >= PATH_MAX)
		return -ENAMETOOLONG;
	while (stat(at, &st)) {
		if (errno != ENOENT || !strcmp(at, "."))
			return -errno;
		/* dirname(3) returns a static "." for a path without a slash */
		parent = dirname(at);
		if (parent != at)
			strcpy(at, parent);
	}
	return 0;
}

int pins_on_bpffs(const char *dir, char at[PATH_MAX], struct err *err)
{
	int result = nearest_existing(dir, at);

	if (!result)
		result = mounts_is_bpffs(at);
	if (result == 1)
		return 0;
	if (result < 0)
		return path_error(dir, -result, err);
	return err_hint(err,
			err_set(err, EXIT_ERROR, ENOTDIR,
				"pin directory %s: no bpffs here (%s is on another file system)",
				dir, at),
			"%s", pins_bpffs_hint(dir));
}

static const char *kind_of(const struct stat *st)
{
	return S_ISDIR(st->st_mode) ? "directory" : S_ISLNK(st->st_mode) ? "symbolic link" : "pin";
}

/*
 * Refuses paths that others can change, since sluice must neither trust nor empty them: any user
 * can create a directory, or a link to one, on a bpffs of mode 1777.
 */
static int check_owner(const char *dir, const struct stat *st, struct err *err)
{
	const struct passwd *owner;
	char parent[PATH_MAX];
	struct stat above;

	if (S_ISDIR(st->st_mode) && (!st->st_uid || st->st_uid == geteuid()) &&
	    !(st->st_mode & (S_IWGRP | S_IWOTH)))
		return 0;
	owner = getpwuid(st->st_uid);
	err_set(err, EXIT_CONFLICT, EPERM, "pin directory %s: %s: a %s of user %u (%s), mode %o",
		dir, S_ISDIR(st->st_mode) ? "others may write to it" : "not a directory",
		kind_of(st), st->st_uid, owner ? owner->pw_name : "?", st->st_mode & 07777);
	snprintf(parent, sizeof(parent), "%s/..", dir);
	if (S_ISDIR(st->st_mode) && !stat(parent, &above) && above.st_dev != st->st_dev)
		return err_hint(err, -EPERM, "name a directory below it with --bpffs: %s/sluice",
				dir);
	return err_hint(err, -EPERM,
			"remove it with 'rm -r %s', and keep other users out with 'chmod 700' on"
			" the bpffs; or name another directory with --bpffs",
			dir);
}

const char *const pins_folders[] = { "wire", "reply", "hold", "meet", "daemon", "steer", NULL };

/*
 * Checks that DIR is on a bpffs and belongs to root or to this user alone. Returns 1, 0 if it does
 * not exist, or -errno with *err set.
 */
static int check_dir(const char *dir, struct err *err)
{
	char at[PATH_MAX];
	struct stat st;
	int result;

	/* this directory shows what a descriptor refers to */
	if (access("/proc/self/fd", F_OK))
		return err_hint(err, err_set(err, EXIT_ERROR, ENODEV, "/proc: not mounted here"),
				"mount it: mount -t proc proc /proc");
	if (lstat(dir, &st))
		return errno == ENOENT ? pins_on_bpffs(dir, at, err) : path_error(dir, errno, err);
	result = pins_on_bpffs(dir, at, err);
	if (!result)
		result = check_owner(dir, &st, err);
	return result ? result : 1;
}

int pins_kind_at(int dir_fd, const char *entry)
{
	/* the kernel calls a new link bpf_link, and bpf-link when it is opened again */
	static const char *const names[PINS_KINDS] = {
		[PINS_LINK] = "link",
		[PINS_PROG] = "prog",
		[PINS_MAP] = "map",
	};
	char target[64], name[16];
	ssize_t length = readlinkat(dir_fd, entry, target, sizeof(target) - 1);
	int kind = -1;

	target[length < 0 ? 0 : length] = '\0';
	if (sscanf(target, "anon_inode:bpf%*1[-_]%15s", name) == 1)
		for (kind = PINS_KINDS - 1; kind >= 0 && strcmp(name, names[kind]) != 0;)
			kind--;
	return kind;
}

int pins_kind(int fd)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return pins_kind_at(AT_FDCWD, path);
}

int pins_get(const char *dir, const char *object, const char *name, enum pins_kind kind)
{
	char path[PATH_MAX];
	struct err ignored = { 0 };
	int fd = check_dir(dir, &ignored);

	if (fd <= 0)
		return fd ? fd : -ENOENT;
	fd = bpf_obj_get(pins_path(dir, object, name, path));
	if (fd < 0)
		return -errno;
	if (pins_kind(fd) == (int)kind)
		return fd;
	close(fd);
	return -EMEDIUMTYPE;
}

int pins_have_object(const char *dir, const char *object, struct err *err)
{
	char path[PATH_MAX];
	struct stat st;

	if (lstat(pins_path(dir, object, NULL, path), &st))
		return errno == ENOENT || errno == ENOTDIR ? 0 : path_error(path, errno, err);
	if (S_ISDIR(st.st_mode))
		return 1;
	return err_hint(err,
			err_set(err, EXIT_CONFLICT, ENOTDIR, "%s: a %s, not a directory of sluice",
				path, kind_of(&st)),
			"remove it if it is yours, or name another directory with --bpffs");
}

/* Refuses a pin directory inside the directory of an object, where it would look like remains. */
static int check_nesting(const char *dir, struct err *err)
{
	char object[PATH_MAX];

	if (!mounts_find_named(dir, pins_folders, object))
		return 0;
	err_set(err, EXIT_USAGE, EINVAL,
		"pin directory %s: %s is the name of an object's directory", dir, object);
	return err_hint(err, -EINVAL, "name the directory above it with --bpffs: %s",
			dirname(object));
}

int pins_exist(const char *dir, const char *object, struct err *err)
{
	int result = check_dir(dir, err);

	/* the directories of groups, whose names begin with a port, are inside that of steering */
	if (result >= 0 && !isdigit((unsigned char)*object) && check_nesting(dir, err))
		return -EINVAL;
	return result <= 0 ? result : pins_have_object(dir, object, err);
}

static bool is_same_time(const struct timespec *one, const struct timespec *other)
{
	return one->tv_sec == other->tv_sec && one->tv_nsec == other->tv_nsec;
}

/* Updates the access time of the directory, which the holder of the lock watches. */
static void announce(int dir_fd)
{
	const struct timespec times[2] = { { .tv_nsec = UTIME_NOW }, { .tv_nsec = UTIME_OMIT } };

	futimens(dir_fd, times);
}

/* Returns -EAGAIN if another process has the lock, or has removed the directory meanwhile. */
static int try_lock(struct pins *pins, bool create, struct err *err)
{
	int result = check_dir(pins->dir, err);
	struct stat opened, named;

	if (result >= 0 && check_nesting(pins->dir, err))
		return -EINVAL;
	if (result < 0)
		return result;
	/*
	 * check before any change: on a read-only mount a link can be detached, but its pin stays
	 */
	if (result && access(pins->dir, W_OK) && errno == EROFS)
		return path_error(pins->dir, EROFS, err);
	if (!result && (!create || (mkdir(pins->dir, 0700) && errno != EEXIST)))
		return path_error(pins->dir, create ? errno : ENOENT, err);
	pins->fd = open(pins->dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (pins->fd < 0 && errno == ENOENT && create)
		return -EAGAIN;
	if (pins->fd < 0 || fstat(pins->fd, &opened)) {
		result = path_error(pins->dir, errno, err);
		goto close;
	}
	result = check_owner(pins->dir, &opened, err);
	if (result)
		goto close;
	result = -EAGAIN;
	if (flock(pins->fd, LOCK_EX | LOCK_NB)) {
		announce(pins->fd);
		goto close;
	}
	/* A directory removed between open(2) and flock(2) makes the lock useless. */
	if (stat(pins->dir, &named) || fstat(pins->fd, &opened) || opened.st_ino != named.st_ino ||
	    opened.st_dev != named.st_dev)
		goto close;
	pins->accessed = opened.st_atim;
	pins->since_ns = clock_now_ns(CLOCK_MONOTONIC);
	return 0;
close:
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
	/* the others poll, so without a pause this process would get the lock before they do */
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

bool pins_are_own(const char *name)
{
	static const char *const prefixes[] = { "sluice_", "link_", "prog_" };
	size_t i;

	for (i = 0; i < sizeof(prefixes) / sizeof(*prefixes); i++)
		if (!strncmp(name, prefixes[i], strlen(prefixes[i])))
			return true;
	return !strcmp(name, PINS_OWNER);
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
