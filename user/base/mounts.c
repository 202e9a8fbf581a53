// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/mounts.h"

#include <errno.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

/* The inode number that kernfs gives to the root directory of a hierarchy (fs/kernfs/dir.c). */
#define KERNFS_ROOT_INODE 1

/* Decodes the \ooo escapes that mountinfo uses for whitespace and backslashes. */
static void unescape(char *text)
{
	char *from = text, *to = text;

	while (*from) {
		if (*from == '\\' && strspn(from + 1, "01234567") >= 3) {
			*to++ = (char)((from[1] - '0') << 6 | (from[2] - '0') << 3 |
				       (from[3] - '0'));
			from += 4;
		} else {
			*to++ = *from++;
		}
	}
	*to = '\0';
}

int mounts_find_cgroup2(FILE *mountinfo, char *path, size_t size)
{
	bool is_root = false, found = false;
	char *line = NULL;
	size_t room = 0;

	while (!is_root && getline(&line, &room, mountinfo) > 0) {
		/* "id parent maj:min root point options... - type source options" */
		char *type = strstr(line, " - "), *rest = line, *root, *point;
		int field;

		if (!type || strncmp(type + 3, "cgroup2 ", 8))
			continue;
		for (field = 0; field < 3; field++)
			strsep(&rest, " ");
		root = strsep(&rest, " ");
		point = strsep(&rest, " ");
		if (!root || *root != '/' || !point || *point != '/')
			continue;
		unescape(point);
		if ((found && strcmp(root, "/")) || strlen(point) >= size)
			continue;
		strcpy(path, point);
		found = true;
		is_root = !strcmp(root, "/");
	}
	free(line);
	return found ? 0 : -ENOENT;
}

bool mounts_have_cgroup1(FILE *mountinfo)
{
	bool found = false;
	char *line = NULL;
	size_t room = 0;

	while (!found && getline(&line, &room, mountinfo) > 0)
		found = strstr(line, " - cgroup ") != NULL;
	free(line);
	return found;
}

int mounts_cgroup2(char *path, size_t size)
{
	FILE *mountinfo = fopen("/proc/self/mountinfo", "re");
	int result;

	if (!mountinfo)
		return -errno;
	result = mounts_find_cgroup2(mountinfo, path, size);
	fclose(mountinfo);
	if (!result)
		result = mounts_is_cgroup2(path);
	/* 0: another file system hides the mount */
	return result == 1 ? 0 : result ? result : -ENOENT;
}

static int is_on(const char *path, __fsword_t magic)
{
	struct statfs fs;

	if (statfs(path, &fs))
		return -errno;
	return fs.f_type == magic;
}

int mounts_is_cgroup2(const char *path)
{
	return is_on(path, CGROUP2_SUPER_MAGIC);
}

int mounts_is_bpffs(const char *path)
{
	return is_on(path, BPF_FS_MAGIC);
}

bool mounts_is_cgroup2_root(const char *path)
{
	struct stat st;

	return mounts_is_cgroup2(path) == 1 && !stat(path, &st) && st.st_ino == KERNFS_ROOT_INODE;
}

int mounts_need_cgroup2(const char *path, struct err *err)
{
	int is_cgroup2 = mounts_is_cgroup2(path);

	if (is_cgroup2 == 1)
		return 0;
	if (is_cgroup2 < 0)
		err_set(err, EXIT_ERROR, -is_cgroup2, "cgroup %s: %s", path, strerror(-is_cgroup2));
	else
		err_set(err, EXIT_ERROR, ENOTDIR, "cgroup %s: not on a cgroup2 file system", path);
	return err_hint(err, is_cgroup2 < 0 ? is_cgroup2 : -ENOTDIR,
			"name a cgroup2 directory with --cgroup; 'sluice check' shows the root");
}
