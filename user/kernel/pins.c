// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/pins.h"

#include "base/log.h"
#include "base/mounts.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LOCK_TRIES   50
#define LOCK_WAIT_NS 100000000L

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

int pins_exist(const char *dir, const char *object, struct err *err)
{
	char path[PATH_MAX];

	if (!access(pins_path(dir, object, NULL, path), F_OK))
		return 1;
	if (errno == ENOENT || errno == ENOTDIR)
		return 0;
	return err_hint(err,
			err_set(err, errno == EACCES ? EXIT_PERMISSION : EXIT_ERROR, errno,
				"%s: %s", path, strerror(errno)),
			"the pins belong to root: run as root, or with CAP_DAC_OVERRIDE");
}

static int make_dir(const char *dir, struct err *err)
{
	char copy[PATH_MAX];
	const char *parent;
	int is_bpffs;

	snprintf(copy, sizeof(copy), "%s", dir);
	parent = dirname(copy);
	is_bpffs = mounts_is_bpffs(parent);
	if (is_bpffs != 1) {
		if (is_bpffs < 0)
			err_set(err, EXIT_ERROR, -is_bpffs, "pin directory %s: %s: %s", dir, parent,
				strerror(-is_bpffs));
		else
			err_set(err, EXIT_ERROR, ENOTDIR,
				"pin directory %s: %s is not on a bpf file system", dir, parent);
		return err_hint(err, is_bpffs < 0 ? is_bpffs : -ENOTDIR,
				"mount one ('mount -t bpf bpf /sys/fs/bpf') or name it with"
				" --bpffs");
	}
	if (!mkdir(dir, 0700) || errno == EEXIST)
		return 0;
	return err_set(err, errno == EACCES || errno == EPERM ? EXIT_PERMISSION : EXIT_ERROR, errno,
		       "pin directory %s: %s", dir, strerror(errno));
}

/* Returns -EAGAIN if another process has the lock, or has removed the directory meanwhile. */
static int try_lock(struct pins *pins, bool create, struct err *err)
{
	int result = create ? make_dir(pins->dir, err) : 0;
	struct stat opened, named;

	if (result)
		return result;
	pins->fd = open(pins->dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (pins->fd < 0 && errno == ENOENT && create)
		return -EAGAIN;
	if (pins->fd < 0 || fstat(pins->fd, &opened)) {
		result = err_set(err, errno == EACCES ? EXIT_PERMISSION : EXIT_ERROR, errno,
				 "pin directory %s: %s", pins->dir, strerror(errno));
	} else if (opened.st_uid != geteuid() || opened.st_mode & (S_IWGRP | S_IWOTH)) {
		/*
		 * Any user can create a directory, or a link to one, on a bpffs: paths that others
		 * can change must be neither trusted nor emptied.
		 */
		result = err_hint(err,
				  err_set(err, EXIT_CONFLICT, EPERM,
					  "pin directory %s: others may write to it (owner %u,"
					  " mode %o)",
					  pins->dir, opened.st_uid, opened.st_mode & 07777),
				  "name a directory of your own with --bpffs, or remove this one");
	} else if (flock(pins->fd, LOCK_EX | LOCK_NB) || stat(pins->dir, &named) ||
		   opened.st_ino != named.st_ino || opened.st_dev != named.st_dev) {
		/* A directory removed between open(2) and flock(2) makes the lock useless. */
		result = -EAGAIN;
	}
	if (result && pins->fd >= 0) {
		close(pins->fd);
		pins->fd = -1;
	}
	return result;
}

int pins_lock(struct pins *pins, const char *dir, bool create, struct err *err)
{
	const struct timespec pause = { .tv_nsec = LOCK_WAIT_NS };
	int tries, result = 0;

	*pins = (struct pins){ .fd = -1 };
	if (snprintf(pins->dir, sizeof(pins->dir), "%s", dir) >= PATH_MAX - NAME_MAX)
		return err_set(err, EXIT_USAGE, ENAMETOOLONG,
			       "pin directory: the path is too long");
	for (tries = 0; tries < LOCK_TRIES; tries++) {
		result = try_lock(pins, create, err);
		if (result != -EAGAIN)
			return result;
		if (!tries)
			log_info("waiting for the lock on %s", dir);
		nanosleep(&pause, NULL);
	}
	return err_hint(err,
			err_set(err, EXIT_CONFLICT, EBUSY,
				"pin directory %s: another sluice has locked it", dir),
			"find the process with 'lsof %s', and try again when it is done", dir);
}

void pins_unlock(struct pins *pins)
{
	if (pins->fd < 0)
		return;
	/* fails unless the directory is empty, as intended */
	rmdir(pins->dir);
	close(pins->fd);
	pins->fd = -1;
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
