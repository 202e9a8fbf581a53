// SPDX-License-Identifier: GPL-2.0-or-later
#include "host/cleanup.h"

#include "base/log.h"
#include "host/daemon_lock.h"
#include "kernel/links.h"
#include "kernel/pins.h"
#include "steer/remove.h"
#include "steer/steer.h"
#include "wire/wire.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Every program and map of sluice has it; the kernel keeps 15 characters of a name. */
#define NAME_PREFIX "sluice_"

/*
 * The subdirectories of DIR that any version of sluice creates.  DIR/steer is not listed: it has
 * subdirectories, and removing its pins does not detach its programs.
 */
static const char *const folders[] = { "reply", "wire", "hold", "meet", DAEMON_LOCK_DIR };

/* The kernel frees links, programs and maps after an RCU grace period, from a work queue. */
#define FREE_TRIES   30
#define FREE_WAIT_NS 100000000L

static void on_steer_event(const struct steer_event *event, void *arg)
{
	*(int *)arg += event->type == STEER_GROUP_RELEASED;
}

/* Removes what no unload understands.  The caller holds the lock on DIR, if there is one. */
static int remove_steer(const char *bpffs, int *groups, struct err *err)
{
	struct steer_removed removed;
	int result = steer_remove(bpffs, &removed, err);

	*groups += removed.groups;
	return result ? result : removed.pins;
}

/* The caller holds the lock on DIR. */
static int remove_folders(const char *bpffs, int *groups, struct err *err)
{
	/* The pins, which are removed below, list the interfaces that have filters. */
	int result = wire_remove_filters(bpffs, err), removed = 0, pid;
	struct err second;
	size_t i;

	for (i = 0; i < sizeof(folders) / sizeof(*folders) && result >= 0; i++) {
		removed += result;
		/* The lock of a running daemon is not a pin, and stays. */
		pid = strcmp(folders[i], DAEMON_LOCK_DIR) ? 0 : daemon_lock_holder(bpffs);
		if (pid)
			log_warning("'sluice run' (process %d) still runs, and loads its objects"
				    " again at a reload",
				    pid);
		result = pid ? 0 : pins_remove(bpffs, folders[i], err);
	}
	if (result < 0) {
		remove_steer(bpffs, groups, &second);
		return result;
	}
	removed += result;
	result = remove_steer(bpffs, groups, err);
	return result < 0 ? result : removed + result;
}

int cleanup_remove(const char *bpffs, int *groups, struct err *err)
{
	int removed = 0, released = 0, result = pins_exist(bpffs, ".", err);
	struct pins pins;

	if (result < 0)
		return result;
	/* Try an orderly unload first, where this version understands the state. */
	if (result)
		removed = steer_unload(bpffs, false, on_steer_event, &released, &(struct err){ 0 });
	removed = removed < 0 ? 0 : removed;
	result = pins_exist(bpffs, ".", err);
	if (result > 0) {
		result = pins_lock(&pins, bpffs, false, err);
		if (result)
			return result;
		result = remove_folders(bpffs, &released, err);
		pins_unlock(&pins);
	} else if (!result) {
		/* A program stays on its group even without its pins. */
		result = remove_steer(bpffs, &released, err);
	}
	if (groups)
		*groups = released;
	return result < 0 ? result : removed + result;
}

enum kind {
	LINK,
	PROGRAM,
	MAP,
	KINDS
};

static const struct {
	const char *name;
	int (*next)(__u32 from, __u32 *id);
	int (*open)(__u32 id);
} kinds[KINDS] = {
	[LINK] = { "link", bpf_link_get_next_id, bpf_link_get_fd_by_id },
	[PROGRAM] = { "program", bpf_prog_get_next_id, bpf_prog_get_fd_by_id },
	[MAP] = { "map", bpf_map_get_next_id, bpf_map_get_fd_by_id },
};

/* Reads the name of an object; a link has the name of its program. */
static int read_name(enum kind kind, int fd, char name[BPF_OBJ_NAME_LEN])
{
	struct bpf_map_info map = { 0 };
	struct bpf_prog_info prog;
	struct hook_link link;
	__u32 length = sizeof(map);
	int result;

	if (kind == MAP) {
		result = bpf_obj_get_info_by_fd(fd, &map, &length) ? -errno : 0;
		memcpy(name, map.name, BPF_OBJ_NAME_LEN);
		return result;
	}
	if (kind == PROGRAM) {
		result = prog_info_by_fd(fd, &prog);
	} else {
		result = hook_link_read(fd, &link);
		if (!result)
			result = prog_info_by_id(link.prog_id, &prog);
	}
	if (!result)
		memcpy(name, prog.name, BPF_OBJ_NAME_LEN);
	return result;
}

/* Calls fn, which may be NULL, for each sluice object of one kind. Returns their count. */
static int find_kind(enum kind kind, cleanup_left_fn fn, void *arg)
{
	int found = 0;
	__u32 id = 0;

	while (!kinds[kind].next(id, &id)) {
		char name[BPF_OBJ_NAME_LEN] = "";
		int fd = kinds[kind].open(id), result;

		/* EAGAIN: a link that is being created.  Its program exists, and is counted. */
		if (fd < 0 && (errno == ENOENT || errno == EAGAIN))
			continue;
		if (fd < 0)
			return -errno;
		result = read_name(kind, fd, name);
		close(fd);
		if (result || strncmp(name, NAME_PREFIX, strlen(NAME_PREFIX)))
			continue;
		found++;
		if (fn)
			fn(kinds[kind].name, id, name, arg);
	}
	return errno == ENOENT ? found : -errno;
}

int cleanup_count_left(void)
{
	return find_kind(PROGRAM, NULL, NULL);
}

static int find_all(cleanup_left_fn fn, void *arg)
{
	int found = 0, count;
	enum kind kind;

	for (kind = 0; kind < KINDS; kind++) {
		count = find_kind(kind, fn, arg);
		if (count < 0)
			return count;
		found += count;
	}
	return found;
}

struct left {
	cleanup_left_fn fn;
	void *arg;
};

static void on_attached(__u32 prog_id, const char *group, void *arg)
{
	const struct left *left = arg;

	left->fn("steered group", prog_id, group, left->arg);
}

int cleanup_find_left(cleanup_left_fn fn, void *arg, struct err *err)
{
	const struct timespec pause = { .tv_nsec = FREE_WAIT_NS };
	int tries, groups, found = find_all(NULL, NULL);

	for (tries = 0; found > 0 && tries < FREE_TRIES; tries++) {
		nanosleep(&pause, NULL);
		found = find_all(NULL, NULL);
	}
	if (found > 0)
		found = find_all(fn, arg);
	if (found > 0) {
		/* A program on a group needs neither a pin nor a link: report where it is. */
		groups = steer_attached(on_attached, &(struct left){ fn, arg });
		found += groups < 0 ? 0 : groups;
	}
	if (found < 0)
		return err_set(err, found == -EPERM ? EXIT_PERMISSION : EXIT_ERROR, -found,
			       "cannot list the kernel's BPF objects: %s", strerror(-found));
	return found;
}
