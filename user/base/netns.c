// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/netns.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

/* where ip-netns(8) keeps its names */
#define NETNS_DIR "/run/netns"

static bool is_number(const char *netns)
{
	return *netns && !netns[strspn(netns, "0123456789")];
}

static int missing(const char *netns, struct err *err)
{
	return err_hint(err,
			err_set(err, EXIT_ERROR, ENOENT, "no network namespace '%s'%s", netns,
				is_number(netns) ? ", and no process with that id" : ""),
			"give a name that 'ip netns list' shows, a path, or a process id");
}

static int failed(const char *netns, int error, struct err *err)
{
	bool denied = error == EPERM || error == EACCES;

	if (error == ENOENT || error == ESRCH)
		return missing(netns, err);
	err_set(err, denied ? EXIT_PERMISSION : EXIT_ERROR, error, "network namespace '%s': %s",
		netns, strerror(error));
	return denied ? err_hint(err, -error,
				 "it takes CAP_SYS_ADMIN, and CAP_SYS_PTRACE for that of another"
				 " process")
		      : -error;
}

static int by_word(const char *netns)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), NETNS_DIR "/%s", netns);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0 || errno != ENOENT || !is_number(netns))
		return fd;
	snprintf(path, sizeof(path), "/proc/%s/ns/net", netns);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static int word_open(const char *netns, struct err *err)
{
	int fd;

	if (!*netns || !strcmp(netns, ".") || !strcmp(netns, ".."))
		return missing(netns, err);
	fd = strchr(netns, '/') ? open(netns, O_RDONLY | O_CLOEXEC) : by_word(netns);
	return fd < 0 ? failed(netns, errno, err) : fd;
}

int netns_open(const char *netns, struct err *err)
{
	int fd = word_open(netns ? netns : "/proc/thread-self/ns/net", err);

	if (fd < 0 || ioctl(fd, NS_GET_NSTYPE) == CLONE_NEWNET)
		return fd;
	close(fd);
	return err_hint(err,
			err_set(err, EXIT_ERROR, EINVAL, "'%s' is not a network namespace", netns),
			"give a name that 'ip netns list' shows, a path, or a process id");
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
	return result ? failed(netns, -result, err) : 0;
}

bool netns_name(uint32_t inode, char name[NAME_MAX + 1])
{
	DIR *folder = opendir(NETNS_DIR);
	struct stat own, st;
	struct dirent *entry;
	bool found = false;

	if (!folder)
		return false;
	/* a name that has lost its mount is a plain file, of another file system */
	if (!stat("/proc/self/ns/net", &own))
		while (!found && (entry = readdir(folder)))
			found = !fstatat(dirfd(folder), entry->d_name, &st, 0) &&
				st.st_dev == own.st_dev && st.st_ino == inode &&
				snprintf(name, NAME_MAX + 1, "%s", entry->d_name);
	closedir(folder);
	return found;
}
