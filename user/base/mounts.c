// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/mounts.h"

#include <errno.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

/* kernfs numbers the root directory of a hierarchy 1 (fs/kernfs/dir.c) */
#define KERNFS_ROOT_INODE 1

static bool is_octal(const char *digits)
{
	return strspn(digits, "01234567") >= 3;
}

/* mountinfo writes blanks and backslashes as \ooo. */
static void unescape(char *text)
{
	char *from = text, *to = text;

	while (*from) {
		if (*from == '\\' && is_octal(from + 1)) {
			*to++ = (char)((from[1] - '0') << 6 | (from[2] - '0') << 3 |
				       (from[3] - '0'));
			from += 4;
		} else {
			*to++ = *from++;
		}
	}
	*to = '\0';
}

/* Splits "id parent maj:min root point options… - type source options"; false for other types. */
static bool cgroup2_line(char *line, char **root, char **point)
{
	char *type = strstr(line, " - ");
	char *rest = line;
	int field;

	if (!type || strncmp(type + 3, "cgroup2 ", 8))
		return false;
	for (field = 0; field < 3; field++)
		strsep(&rest, " ");
	*root = strsep(&rest, " ");
	*point = strsep(&rest, " ");
	return *root && **root == '/' && *point && **point == '/';
}

int mounts_find_cgroup2(FILE *mountinfo, char *path, size_t size)
{
	char *line = NULL, *root, *point;
	bool whole = false, found = false;
	size_t room = 0;

	while (!whole && getline(&line, &room, mountinfo) > 0) {
		bool is_root;

		if (!cgroup2_line(line, &root, &point))
			continue;
		is_root = !strcmp(root, "/");
		unescape(point);
		if ((found && !is_root) || strlen(point) >= size)
			continue;
		strcpy(path, point);
		found = true;
		whole = is_root;
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
	/* 0: another file system is mounted over it */
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
