// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/pin_dir.h"

#include "kernel/mounts.h"

#include <errno.h>
#include <libgen.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BPFFS "/sys/fs/bpf"

const char *pins_bpffs_hint(const char *dir)
{
	return strncmp(dir, BPFFS "/", sizeof(BPFFS))
		       ? "name a directory on a bpffs with --bpffs, such as " BPFFS "/sluice"
		       : "under 'ip netns exec', use 'sluice --netns NAME' or 'nsenter --net' instead,"
			 " and 'nsenter --mount' in another mount namespace; otherwise mount it:"
			 " mount -t bpf -o mode=700 bpf " BPFFS;
}

int pin_dir_error(const char *path, int error, struct err *err)
{
	err_set(err, EXIT_ERROR, error, "pin directory %s: %s", path, strerror(error));
	if (err->code == EXIT_PERMISSION)
		err_hint(err, -error,
			 "the pins belong to root: run as root, or with CAP_DAC_OVERRIDE");
	if (error == EROFS)
		err_hint(err, -error, PINS_READ_ONLY_HINT);
	/* the kernel reserves names with dots (bpf_lookup() in kernel/bpf/inode.c) */
	if (error == EPERM && strchr(path, '.'))
		return err_hint(err,
				err_set(err, EXIT_USAGE, EINVAL,
					"pin directory %s: a bpffs allows no dots in a name", path),
				"name another directory with --bpffs");
	return -error;
}

/* Copies the path, or that of its nearest existing parent. Returns 0 or -errno. */
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
		return pin_dir_error(dir, -result, err);
	return err_hint(err,
			err_set(err, EXIT_ERROR, ENOTDIR,
				"pin directory %s: no bpffs here (%s is on another file system)",
				dir, at),
			"%s", pins_bpffs_hint(dir));
}

const char *pin_dir_kind(const struct stat *st)
{
	return S_ISDIR(st->st_mode) ? "directory" : S_ISLNK(st->st_mode) ? "symbolic link" : "pin";
}

int pin_dir_check_owner(const char *dir, const struct stat *st, struct err *err)
{
	const struct passwd *owner;
	char parent[PATH_MAX];
	struct stat above;

	if (S_ISDIR(st->st_mode) && (!st->st_uid || st->st_uid == geteuid()) &&
	    !(st->st_mode & (S_IWGRP | S_IWOTH)))
		return 0;
	owner = getpwuid(st->st_uid);
	err_set(err, EXIT_CONFLICT, EPERM, "pin directory %s: %s: a %s of user %u (%s), mode %o",
		dir, S_ISDIR(st->st_mode) ? "other users can write to it" : "not a directory",
		pin_dir_kind(st), st->st_uid, owner ? owner->pw_name : "?", st->st_mode & 07777);
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

int pin_dir_check(const char *dir, struct err *err)
{
	char at[PATH_MAX];
	struct stat st;
	int result;

	/* the links in this directory show the type of a descriptor */
	if (access("/proc/self/fd", F_OK))
		return err_hint(err, err_set(err, EXIT_ERROR, ENODEV, "/proc: not mounted here"),
				"mount it: mount -t proc proc /proc");
	if (lstat(dir, &st))
		return errno == ENOENT ? pins_on_bpffs(dir, at, err)
				       : pin_dir_error(dir, errno, err);
	result = pins_on_bpffs(dir, at, err);
	if (!result)
		result = pin_dir_check_owner(dir, &st, err);
	return result ? result : 1;
}

int pin_dir_check_nesting(const char *dir, struct err *err)
{
	char object[PATH_MAX];

	if (!mounts_find_named(dir, pins_folders, object))
		return 0;
	err_set(err, EXIT_USAGE, EINVAL,
		"pin directory %s: %s is the name of an object's directory", dir, object);
	return err_hint(err, -EINVAL, "name the directory above it with --bpffs: %s",
			dirname(object));
}
