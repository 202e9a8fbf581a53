// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/pins.h"

#include "base/clock.h"
#include "base/log.h"
#include "kernel/mounts.h"
#include "kernel/pin_dir.h"

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

const char *pins_path(const char *dir, const char *object, const char *name, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/%s%s%s", dir, object, name ? "/" : "", name ? name : "");
	return path;
}

const char *pins_staged_path(const char *dir, const char *object, const char *name,
			     char path[PATH_MAX])
{
	/* bpffs allows no dots in names, so the suffix is _new */
	snprintf(path, PATH_MAX, "%s/%s/%s_new", dir, object, name);
	return path;
}

int pins_kind_at(int dir_fd, const char *entry)
{
	/*
	 * the kernel names the descriptor of a new link bpf_link, and that of a reopened link
	 * bpf-link
	 */
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
	int fd = pin_dir_check(dir, &ignored);

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
		return errno == ENOENT || errno == ENOTDIR ? 0 : pin_dir_error(path, errno, err);
	if (S_ISDIR(st.st_mode))
		return 1;
	return err_hint(err,
			err_set(err, EXIT_CONFLICT, ENOTDIR, "%s: a %s, not a directory of sluice",
				path, pin_dir_kind(&st)),
			"remove it if it is yours, or name another directory with --bpffs");
}

int pins_exist(const char *dir, const char *object, struct err *err)
{
	int result = pin_dir_check(dir, err);

	/*
	 * the directories of groups, whose names begin with a port, are inside the directory of
	 * steer
	 */
	if (result >= 0 && !isdigit((unsigned char)*object) && pin_dir_check_nesting(dir, err))
		return -EINVAL;
	return result <= 0 ? result : pins_have_object(dir, object, err);
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
