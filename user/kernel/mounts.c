// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <libgen.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/* The inode number of the root directory of a kernfs hierarchy (fs/kernfs/dir.c). */
#define KERNFS_ROOT_INODE 1
/* FILEID_KERNFS (include/linux/exportfs.h) */
#define KERNFS_HANDLE 0xfe

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

const char *mounts_cgroup2_hint(char hint[PATH_MAX + 64])
{
	char root[PATH_MAX];

	if (mounts_cgroup2(root, sizeof(root)))
		return "mount a cgroup2, and name a directory of it with --cgroup";
	snprintf(hint, PATH_MAX + 64, "name a directory of the cgroup2 at %s with --cgroup", root);
	return hint;
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

bool mounts_find_named(const char *path, const char *const *names, char found[PATH_MAX])
{
	const char *const *name;
	char copy[PATH_MAX], parent[PATH_MAX];
	struct stat st, above;

	snprintf(found, PATH_MAX, "%s", path);
	for (;;) {
		/* basename(3) and dirname(3) modify their argument */
		strcpy(copy, found);
		strcpy(parent, dirname(copy));
		if (!strcmp(parent, found) ||
		    (!stat(found, &st) && (stat(parent, &above) || above.st_dev != st.st_dev)))
			return false;
		strcpy(copy, found);
		for (name = names; *name; name++)
			if (!strcmp(basename(copy), *name))
				return true;
		strcpy(found, parent);
	}
}

/* Walks all cgroups, for a process that may not open a cgroup by its id. */
static int cgroup_search(char *root, __u64 id, char path[PATH_MAX])
{
	char *const roots[] = { root, NULL };
	FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_XDEV, NULL);
	int result = -ENOENT;
	FTSENT *entry;

	if (!tree)
		return -errno;
	while (result && (entry = fts_read(tree)))
		if (entry->fts_info == FTS_D && entry->fts_statp->st_ino == id) {
			snprintf(path, PATH_MAX, "%s", entry->fts_path);
			result = 0;
		}
	fts_close(tree);
	return result;
}

int mounts_cgroup2_path(__u64 id, char path[PATH_MAX])
{
	/* the kernel's file handle of a cgroup holds its id (fs/kernfs/mount.c) */
	union {
		struct file_handle head;
		char room[sizeof(struct file_handle) + sizeof(id)];
	} handle = { .head = { .handle_bytes = sizeof(id), .handle_type = KERNFS_HANDLE } };
	char root[PATH_MAX], link[32];
	int result = mounts_cgroup2(root, sizeof(root)), mount_fd, fd;
	ssize_t length;

	if (result)
		return result;
	mount_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (mount_fd < 0)
		return -errno;
	memcpy(handle.head.f_handle, &id, sizeof(id));
	fd = open_by_handle_at(mount_fd, &handle.head, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	result = fd < 0 ? -errno : 0;
	close(mount_fd);
	/* CAP_DAC_READ_SEARCH is missing, or the kernel does not support handles of cgroups */
	if (result == -EPERM || result == -EOPNOTSUPP)
		return cgroup_search(root, id, path);
	if (result)
		return result == -ESTALE ? -ENOENT : result;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	length = readlink(link, path, PATH_MAX - 1);
	result = length < 0 ? -errno : 0;
	close(fd);
	if (!result)
		path[length] = '\0';
	/* the cgroup is outside of the subtree that the mount shows */
	return result || !strncmp(path, root, strlen(root)) ? result : -ENOENT;
}

bool mounts_is_cgroup2_root(const char *path)
{
	struct stat st;

	return mounts_is_cgroup2(path) == 1 && !stat(path, &st) && st.st_ino == KERNFS_ROOT_INODE;
}

int mounts_need_cgroup2(const char *path, struct err *err)
{
	int is_cgroup2 = mounts_is_cgroup2(path);
	char hint[PATH_MAX + 64];
	struct stat st;

	if (is_cgroup2 == 1 && !stat(path, &st) && !S_ISDIR(st.st_mode))
		is_cgroup2 = -ENOTDIR;
	if (is_cgroup2 == 1)
		return 0;
	if (is_cgroup2 < 0)
		err_set(err, EXIT_ERROR, -is_cgroup2, "cgroup %s: %s", path, strerror(-is_cgroup2));
	else
		err_set(err, EXIT_ERROR, ENOTDIR, "cgroup %s: not on a cgroup2 file system", path);
	return err_hint(err, is_cgroup2 < 0 ? is_cgroup2 : -ENOTDIR, "%s",
			mounts_cgroup2_hint(hint));
}
