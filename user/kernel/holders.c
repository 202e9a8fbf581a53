// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/holders.h"

#include "base/array.h"
#include "kernel/pins.h"

#include <bpf/bpf.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <mntent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int add(struct holders *holders, enum pins_kind kind, __u32 id, int pid, const char *name)
{
	struct bpf_holder holder = { kind, id, pid, strdup(name) };

	if (!holder.name ||
	    array_grow((void **)&holders->list, &holders->room, holders->count, sizeof(holder))) {
		free(holder.name);
		return -ENOMEM;
	}
	holders->list[holders->count++] = holder;
	return 0;
}

/* --- pins */

/* Returns true if the list already has the pin: two mounts at the same path show each pin twice. */
static bool is_known(const struct holders *holders, enum pins_kind kind, __u32 id, const char *path)
{
	const struct bpf_holder *holder = NULL;

	while ((holder = holders_next(holders, kind, id, holder)))
		if (!strcmp(holder->name, path))
			return true;
	return false;
}

static int add_pin(struct holders *holders, const char *path)
{
	int fd = bpf_obj_get(path), kind = fd < 0 ? -1 : pins_kind(fd), result = 0;
	/* the info struct of each kind begins with a type and the id */
	__u32 info[2] = { 0 }, length = sizeof(info);

	if (kind >= 0 && !bpf_obj_get_info_by_fd(fd, info, &length) &&
	    !is_known(holders, kind, info[1], path))
		result = add(holders, kind, info[1], 0, path);
	if (fd >= 0)
		close(fd);
	return result;
}

static int add_mount(struct holders *holders, char *root)
{
	char *const roots[] = { root, NULL };
	FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_XDEV, NULL);
	int result = 0;
	FTSENT *entry;

	while (tree && !result && (entry = fts_read(tree)))
		if (entry->fts_info == FTS_F)
			result = add_pin(holders, entry->fts_path);
	if (tree)
		fts_close(tree);
	return result;
}

int holders_add_pins(struct holders *holders)
{
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	struct mntent *mount;
	int result = 0;

	while (mounts && !result && (mount = getmntent(mounts)))
		if (!strcmp(mount->mnt_type, "bpf"))
			result = add_mount(holders, mount->mnt_dir);
	if (mounts)
		endmntent(mounts);
	return result;
}

/* --- processes */

/* Returns the id of a BPF object from /proc/PID/fdinfo/FD, or 0 if it cannot be read. */
static __u32 fdinfo_id(int process_fd, const char *fd, enum pins_kind kind)
{
	static const char *const keys[] = {
		[PINS_LINK] = "link_id:\t%u",
		[PINS_PROG] = "prog_id:\t%u",
		[PINS_MAP] = "map_id:\t%u",
	};
	char path[64], line[256];
	__u32 id = 0;
	FILE *info;
	int info_fd;

	snprintf(path, sizeof(path), "fdinfo/%s", fd);
	info_fd = openat(process_fd, path, O_RDONLY | O_CLOEXEC);
	info = info_fd < 0 ? NULL : fdopen(info_fd, "r");
	while (info && !id && fgets(line, sizeof(line), info))
		if (sscanf(line, keys[kind], &id) != 1)
			id = 0;
	if (info)
		fclose(info);
	else if (info_fd >= 0)
		close(info_fd);
	return id;
}

static void read_comm(int process_fd, char comm[32])
{
	int fd = openat(process_fd, "comm", O_RDONLY | O_CLOEXEC);
	ssize_t length = fd < 0 ? -1 : read(fd, comm, 31);

	if (fd >= 0)
		close(fd);
	comm[length < 0 ? 0 : length] = '\0';
	comm[strcspn(comm, "\n")] = '\0';
}

/*
 * Adds each BPF object of a process once, even if several descriptors of the process refer to it.
 */
static int add_process(struct holders *holders, int process_fd, int pid)
{
	int fds_fd = openat(process_fd, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC), result = 0;
	DIR *fds = fds_fd < 0 ? NULL : fdopendir(fds_fd);
	size_t first = holders->count, i;
	struct dirent *entry;
	char comm[32];

	while (fds && !result && (entry = readdir(fds))) {
		int kind = pins_kind_at(fds_fd, entry->d_name);
		__u32 id = kind < 0 ? 0 : fdinfo_id(process_fd, entry->d_name, kind);

		for (i = first; id && i < holders->count; i++)
			if (holders->list[i].kind == (enum pins_kind)kind &&
			    holders->list[i].id == id)
				id = 0;
		if (!id)
			continue;
		read_comm(process_fd, comm);
		result = add(holders, kind, id, pid, comm);
	}
	if (fds)
		closedir(fds);
	return result;
}

int holders_add_processes(struct holders *holders)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	int result = 0;

	while (proc && !result && (entry = readdir(proc))) {
		int pid = isdigit((unsigned char)entry->d_name[0]) ? atoi(entry->d_name) : 0, fd;

		if (!pid || pid == getpid())
			continue;
		fd = openat(dirfd(proc), entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0)
			continue;
		result = add_process(holders, fd, pid);
		close(fd);
	}
	if (proc)
		closedir(proc);
	return result;
}

const struct bpf_holder *holders_next(const struct holders *holders, enum pins_kind kind, __u32 id,
				      const struct bpf_holder *last)
{
	size_t i;

	for (i = last ? (size_t)(last - holders->list) + 1 : 0; i < holders->count; i++)
		if (holders->list[i].kind == kind && holders->list[i].id == id)
			return &holders->list[i];
	return NULL;
}

void holders_free(struct holders *holders)
{
	while (holders->count)
		free(holders->list[--holders->count].name);
	free(holders->list);
	*holders = (struct holders){ 0 };
}
