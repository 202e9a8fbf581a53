// SPDX-License-Identifier: GPL-2.0-or-later
#include "net/netns.h"

#include "base/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

/* ip-netns(8) keeps its names here. */
#define NETNS_DIR "/run/netns"

#define HINT "give a name that 'ip netns list' shows, a path, or a process id"

static bool is_number(const char *netns)
{
	return *netns && !netns[strspn(netns, "0123456789")];
}

static int open_failed(const char *netns, int error, struct err *err)
{
	if (error == ENOENT || error == ESRCH) {
		err_set(err, EXIT_ERROR, ENOENT, "no network namespace '%s'%s", netns,
			is_number(netns) ? ", and no process with that id" : "");
		return err_hint(err, -ENOENT, HINT);
	}
	err_set(err, EXIT_ERROR, error, "network namespace '%s': %s", netns, strerror(error));
	if (error == EPERM || error == EACCES) {
		err->code = EXIT_PERMISSION;
		err_hint(err, -error,
			 "this needs CAP_SYS_ADMIN, and CAP_SYS_PTRACE for the namespace of"
			 " another process");
	}
	return -error;
}

int netns_open(const char *netns, struct err *err)
{
	char path[PATH_MAX];
	int fd;

	if (!netns)
		netns = "/proc/thread-self/ns/net";
	if (!*netns || !strcmp(netns, ".") || !strcmp(netns, ".."))
		return open_failed(netns, ENOENT, err);
	snprintf(path, sizeof(path), "%s%s", strchr(netns, '/') ? "" : NETNS_DIR "/", netns);
	/* without O_NONBLOCK, opening a FIFO would wait for a writer */
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT && is_number(netns)) {
		snprintf(path, sizeof(path), "/proc/%s/ns/net", netns);
		fd = open(path, O_RDONLY | O_CLOEXEC);
	}
	if (fd < 0)
		return open_failed(netns, errno, err);
	if (ioctl(fd, NS_GET_NSTYPE) == CLONE_NEWNET)
		return fd;
	close(fd);
	err_set(err, EXIT_ERROR, EINVAL, "'%s' is not a network namespace", netns);
	return err_hint(err, -EINVAL, HINT);
}

int netns_number(const char *value, uint32_t *inode, struct err *err)
{
	struct stat st;
	int fd, result;

	if (value && !strcmp(value, "all")) {
		*inode = 0;
		return 0;
	}
	fd = netns_open(value, err);
	if (fd < 0)
		return fd;
	result = fstat(fd, &st) ? err_set(err, EXIT_ERROR, errno, "--netns: %s", strerror(errno))
				: 0;
	close(fd);
	if (!result)
		*inode = (uint32_t)st.st_ino;
	return result;
}

/* Opens a namespace if its inode number is @inode. Returns a descriptor, -ENOENT, or -errno. */
static int open_if(int dir, const char *path, uint32_t inode)
{
	struct stat st;
	int fd;

	/* stat first, to avoid the open(2) of nearly all namespaces */
	if (fstatat(dir, path, &st, 0) || st.st_ino != inode)
		return -ENOENT;
	fd = openat(dir, path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return errno == EMFILE || errno == ENFILE ? -errno : -ENOENT;
	/* a name without a mounted namespace is a regular file */
	if (!fstat(fd, &st) && st.st_ino == inode && ioctl(fd, NS_GET_NSTYPE) == CLONE_NEWNET)
		return fd;
	close(fd);
	return -ENOENT;
}

static int find_in(const char *path, const char *below, uint32_t inode)
{
	DIR *folder = opendir(path);
	struct dirent *entry;
	char name[NAME_MAX + 16];
	int fd = folder || errno == ENOENT ? -ENOENT : -errno;

	while (folder && fd == -ENOENT && (entry = readdir(folder))) {
		if (*entry->d_name == '.' || (*below && !is_number(entry->d_name)))
			continue;
		snprintf(name, sizeof(name), "%s%s", entry->d_name, below);
		fd = open_if(dirfd(folder), name, inode);
	}
	if (folder)
		closedir(folder);
	return fd;
}

int netns_open_number(uint32_t inode)
{
	int fd = open_if(AT_FDCWD, "/proc/thread-self/ns/net", inode);

	if (fd == -ENOENT)
		fd = find_in(NETNS_DIR, "", inode);
	if (fd == -ENOENT)
		fd = find_in("/proc", "/ns/net", inode);
	return fd;
}

int netns_switch(int netns_fd)
{
	return setns(netns_fd, CLONE_NEWNET) ? -errno : 0;
}

int netns_enter(const char *netns, struct err *err)
{
	int fd = netns_open(netns, err), result;

	if (fd < 0)
		return fd;
	result = netns_switch(fd);
	close(fd);
	return result ? open_failed(netns, -result, err) : 0;
}

bool netns_name(uint32_t inode, char name[NAME_MAX + 1])
{
	DIR *folder = opendir(NETNS_DIR);
	struct stat own, st;
	struct dirent *entry;
	bool found = false;

	if (!folder)
		return false;
	/* a name without a mounted namespace is a regular file on a different file system */
	if (!stat("/proc/self/ns/net", &own))
		while (!found && (entry = readdir(folder)))
			found = !fstatat(dirfd(folder), entry->d_name, &st, 0) &&
				st.st_dev == own.st_dev && st.st_ino == inode &&
				snprintf(name, NAME_MAX + 1, "%s", entry->d_name);
	closedir(folder);
	return found;
}

const char *netns_format(uint32_t inode, const char *name, char text[NETNS_TEXT_MAX])
{
	snprintf(text, NETNS_TEXT_MAX, *name ? "%u (%s)" : "%u", inode, name);
	return text_plain(text, NETNS_TEXT_MAX);
}

const char *netns_text(uint32_t inode, char text[NETNS_TEXT_MAX])
{
	char name[NAME_MAX + 1];

	return netns_format(inode, netns_name(inode, name) ? name : "", text);
}

const char *netns_setting_text(uint32_t inode, char text[NETNS_TEXT_MAX])
{
	return inode ? netns_text(inode, text) : strcpy(text, "all");
}

int netns_inode(const char *netns, uint32_t *inode, struct err *err)
{
	char path[PATH_MAX];
	uint64_t number;
	struct stat st;
	int fd, result = 0;

	snprintf(path, sizeof(path), NETNS_DIR "/%s", netns);
	if (is_number(netns) && access(path, F_OK)) {
		number = strtoull(netns, NULL, 10);
		if (number > UINT32_MAX)
			return err_hint(err,
					err_set(err, EXIT_USAGE, ERANGE,
						"'%s' is not an inode number of a namespace",
						netns),
					"'ls -Li " NETNS_DIR "' lists the numbers");
		*inode = (uint32_t)number;
		return 0;
	}
	fd = netns_open(netns, err);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st))
		result = err_set(err, EXIT_ERROR, errno, "network namespace '%s': %s", netns,
				 strerror(errno));
	else
		*inode = (uint32_t)st.st_ino;
	close(fd);
	return result;
}
