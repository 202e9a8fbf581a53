// SPDX-License-Identifier: GPL-2.0-or-later
#include "net/socket_owner.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The sockets whose owner is searched, sorted by inode. */
struct wanted {
	struct inet_socket **socket;
	size_t count;
};

static int inode_compare(const void *a, const void *b)
{
	uint32_t x = (*(struct inet_socket *const *)a)->inode;
	uint32_t y = (*(struct inet_socket *const *)b)->inode;

	return (x > y) - (x < y);
}

static void read_comm(int proc, const char *pid, char *name)
{
	char path[64];
	ssize_t length;
	int fd;

	snprintf(path, sizeof(path), "%.20s/comm", pid);
	fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
	length = fd < 0 ? 0 : read(fd, name, INET_PROCESS_SIZE - 1);
	if (fd >= 0)
		close(fd);
	name[length > 0 ? length : 0] = '\0';
	name[strcspn(name, "\n")] = '\0';
}

static void scan_process(const struct wanted *wanted, int proc, const char *pid)
{
	struct dirent *entry;
	char path[32];
	DIR *dir;
	int fds;

	snprintf(path, sizeof(path), "%.20s/fd", pid);
	fds = openat(proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dir = fds < 0 ? NULL : fdopendir(fds);
	if (!dir) {
		if (fds >= 0)
			close(fds);
		return;
	}
	while ((entry = readdir(dir))) {
		struct inet_socket key, *at = &key, **found;
		char link[64];
		ssize_t length = readlinkat(fds, entry->d_name, link, sizeof(link) - 1);

		if (length <= 0)
			continue;
		link[length] = '\0';
		if (sscanf(link, "socket:[%" SCNu32 "]", &key.inode) != 1)
			continue;
		found = bsearch(&at, wanted->socket, wanted->count, sizeof(at), inode_compare);
		if (!found || (*found)->pid)
			continue;
		(*found)->pid = (pid_t)strtol(pid, NULL, 10);
		read_comm(proc, pid, (*found)->process);
	}
	closedir(dir);
}

int socket_owner_find(struct inet_socket *socket, size_t count)
{
	struct wanted wanted = { .count = count };
	struct dirent *entry;
	size_t i;
	DIR *dir;

	if (!count)
		return 0;
	wanted.socket = calloc(count, sizeof(*wanted.socket));
	dir = wanted.socket ? opendir("/proc") : NULL;
	if (!dir) {
		free(wanted.socket);
		return -errno;
	}
	for (i = 0; i < count; i++)
		wanted.socket[i] = &socket[i];
	qsort(wanted.socket, count, sizeof(*wanted.socket), inode_compare);
	while ((entry = readdir(dir)))
		if (isdigit((unsigned char)*entry->d_name))
			scan_process(&wanted, dirfd(dir), entry->d_name);
	closedir(dir);
	free(wanted.socket);
	return 0;
}
