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

const char *pins_path(const char *dir, const char *plane, const char *name, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/%s%s%s", dir, plane, name ? "/" : "", name ? name : "");
	return path;
}

int pins_get(const char *dir, const char *plane, const char *name)
{
	char path[PATH_MAX];
	int fd = bpf_obj_get(pins_path(dir, plane, name, path));

	return fd < 0 ? -errno : fd;
}

int pins_exist(const char *dir, const char *plane, struct err *err)
{
	char path[PATH_MAX];

	if (!access(pins_path(dir, plane, NULL, path), F_OK))
		return 1;
	if (errno == ENOENT || errno == ENOTDIR)
		return 0;
	return err_hint(err,
			err_set(err, errno == EACCES ? EXIT_PERMISSION : EXIT_ERROR, errno,
				"%s: %s", path, strerror(errno)),
			"the pins are root's: run as root, or with CAP_DAC_OVERRIDE");
}

/* The folder that DIR is to be made in must be on bpffs. */
static int check_parent(const char *dir, struct err *err)
{
	char copy[PATH_MAX];
	const char *parent;
	int on;

	snprintf(copy, sizeof(copy), "%s", dir);
	parent = dirname(copy);
	on = mounts_is_bpffs(parent);
	if (on == 1)
		return 0;
	if (on < 0)
		err_set(err, EXIT_ERROR, -on, "pins folder %s: %s: %s", dir, parent, strerror(-on));
	else
		err_set(err, EXIT_ERROR, ENOTDIR, "pins folder %s: %s is not on a bpf file system",
			dir, parent);
	return err_hint(err, on < 0 ? on : -ENOTDIR,
			"mount one ('mount -t bpf bpf /sys/fs/bpf') or name it with --bpffs");
}

static int make_dir(struct pins *pins, struct err *err)
{
	int result = check_parent(pins->dir, err);

	if (result)
		return result;
	if (!mkdir(pins->dir, 0700) || errno == EEXIST)
		return 0;
	result = errno == EACCES || errno == EPERM ? EXIT_PERMISSION : EXIT_ERROR;
	return err_set(err, result, errno, "pins folder %s: %s", pins->dir, strerror(errno));
}

/*
 * Anybody may make a folder, or a link to one, on a bpffs: what others can change must neither be
 * trusted nor emptied.
 */
static int check_owner(const struct pins *pins, struct err *err)
{
	struct stat st;

	if (fstat(pins->fd, &st))
		return err_set(err, EXIT_ERROR, errno, "pins folder %s: %s", pins->dir,
			       strerror(errno));
	if (st.st_uid == geteuid() && !(st.st_mode & (S_IWGRP | S_IWOTH)))
		return 0;
	return err_hint(err,
			err_set(err, EXIT_CONFLICT, EPERM,
				"pins folder %s: others may write to it (owner %u, mode %o)",
				pins->dir, st.st_uid, st.st_mode & 07777),
			"name a folder of your own with --bpffs, or remove that one");
}

/* The folder may have been removed between open(2) and flock(2): then the lock is of no use. */
static bool still_there(const struct pins *pins)
{
	struct stat opened, named;

	return !fstat(pins->fd, &opened) && !stat(pins->dir, &named) &&
	       opened.st_ino == named.st_ino && opened.st_dev == named.st_dev;
}

static int try_lock(struct pins *pins, bool create, struct err *err)
{
	int result = create ? make_dir(pins, err) : 0;

	if (result)
		return result;
	pins->fd = open(pins->dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (pins->fd < 0 && errno == ENOENT && create)
		return -EAGAIN;
	if (pins->fd < 0)
		return err_set(err, errno == EACCES ? EXIT_PERMISSION : EXIT_ERROR, errno,
			       "pins folder %s: %s", pins->dir, strerror(errno));
	result = check_owner(pins, err);
	if (!result && (flock(pins->fd, LOCK_EX | LOCK_NB) || !still_there(pins)))
		result = -EAGAIN;
	if (result) {
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
		return err_set(err, EXIT_USAGE, ENAMETOOLONG, "pins folder: the path is too long");
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
				"pins folder %s: another sluice is working on it", dir),
			"see 'lsof %s' for the process, and try again when it is done", dir);
}

void pins_unlock(struct pins *pins)
{
	if (pins->fd < 0)
		return;
	/* Fails, as it should, while anything is in it. */
	rmdir(pins->dir);
	close(pins->fd);
	pins->fd = -1;
}

int pins_drop(const char *path)
{
	int fd = bpf_obj_get(path);

	/* The kernel refuses to detach what is no link, and that is as well. */
	if (fd >= 0)
		bpf_link_detach(fd);
	if (fd >= 0)
		close(fd);
	return unlink(path) ? -errno : 0;
}

int pins_remove_prefixed(const char *dir, const char *plane, const char *prefix, struct err *err)
{
	char path[PATH_MAX], pin[PATH_MAX];
	struct dirent *entry;
	int removed = 0;
	DIR *folder = opendir(pins_path(dir, plane, NULL, path));

	if (!folder)
		return errno == ENOENT
			       ? 0
			       : err_set(err, EXIT_ERROR, errno, "%s: %s", path, strerror(errno));
	if (!prefix)
		removed = !unlink(pins_path(dir, plane, PINS_OWNER, pin));
	while ((entry = readdir(folder))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..") ||
		    (prefix && strncmp(entry->d_name, prefix, strlen(prefix))))
			continue;
		if (!pins_drop(pins_path(dir, plane, entry->d_name, pin)))
			removed++;
	}
	closedir(folder);
	if (rmdir(path) && !(prefix && errno == ENOTEMPTY))
		return err_set(err, EXIT_ERROR, errno, "%s: %s", path, strerror(errno));
	return removed;
}

int pins_remove(const char *dir, const char *plane, struct err *err)
{
	return pins_remove_prefixed(dir, plane, NULL, err);
}
