// SPDX-License-Identifier: GPL-2.0-or-later
#include "host/cleanup.h"

#include "base/log.h"
#include "host/daemon_lock.h"
#include "kernel/holders.h"
#include "kernel/links.h"
#include "kernel/pin_dir.h"
#include "kernel/pins.h"
#include "kernel/pins_lock.h"
#include "kernel/unload.h"
#include "steer/cleanup.h"
#include "steer/group/groups.h"
#include "steer/steer.h"
#include "wire/pins.h"
#include "wire/wire.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* The prefix of all programs and maps of sluice; the kernel truncates a name to 15 characters. */
#define NAME_PREFIX "sluice_"

/* A workqueue frees links, programs and maps after an RCU grace period; wait for this. */
#define FREE_TRIES   30
#define FREE_WAIT_NS 100000000L

static void on_steer_event(const struct steer_event *event, void *arg)
{
	*(int *)arg += event->type == STEER_GROUP_RELEASED;
}

/*
 * Removes object steer. unload_pins() cannot do this: steer has subdirectories, and removing its
 * pins does not detach its programs. The caller holds the lock on DIR, if DIR exists.
 */
static int remove_steer(const char *bpffs, int *groups, struct err *err)
{
	struct steer_removed removed;
	int result = steer_remove(bpffs, &removed, err);

	*groups += removed.groups;
	return result ? result : removed.pins;
}

/* Removes the pins of one object. Returns their number, or -errno with *err set. */
static int remove_folder(const char *bpffs, const char *name, int *groups, struct err *err)
{
	char where[32] = "in another PID namespace";
	int filters = 0, pins, pid;

	if (!strcmp(name, STEER_OBJECT))
		return remove_steer(bpffs, groups, err);
	/* keep the lock of a running daemon, which is not a pin */
	pid = strcmp(name, DAEMON_LOCK_DIR) ? 0 : daemon_lock_holder(bpffs);
	if (pid) {
		if (pid > 0)
			snprintf(where, sizeof(where), "process %d", pid);
		log_warning("'sluice run' (%s) is still running, and loads its objects again on"
			    " reload",
			    where);
		return 0;
	}
	/* remove the filters first: the pins list their interfaces */
	if (!strcmp(name, WIRE_OBJECT))
		filters = wire_remove_filters(bpffs, err);
	pins = filters < 0 ? filters : unload_pins(bpffs, name, err);
	return pins < 0 ? pins : filters + pins;
}

/*
 * Removes the pins of all objects, and continues after a failure. Returns the number of pins, or
 * the first failure. The caller holds the lock on DIR.
 */
static int remove_folders(const char *bpffs, int *groups, struct err *err)
{
	int removed = 0, failure = 0, more;
	struct err step = { 0 };
	size_t i;

	for (i = 0; pins_folders[i]; i++) {
		more = remove_folder(bpffs, pins_folders[i], groups, &step);
		if (more >= 0) {
			removed += more;
		} else if (!failure) {
			failure = more;
			*err = step;
		}
	}
	return failure ? failure : removed;
}

int cleanup_remove(const char *bpffs, int *groups, struct err *err)
{
	int removed = 0, wired = 0, released = 0, result = pins_exist(bpffs, ".", err);
	struct pins pins;

	if (result < 0)
		return result;
	/* first try a normal unload, which works if this version can read the state */
	if (result)
		removed = steer_unload(bpffs, false, on_steer_event, &released, &(struct err){ 0 });
	removed = removed < 0 ? 0 : removed;
	/* wire_unload() yields the lock between two interfaces */
	if (result)
		wired = wire_unload(bpffs, &(struct err){ 0 });
	removed += wired < 0 ? 0 : wired;
	result = pins_exist(bpffs, ".", err);
	if (result > 0) {
		result = pins_lock(&pins, bpffs, false, err);
		if (result && result != -ENOENT)
			return result;
		/* -ENOENT: a concurrent cleanup has removed DIR */
		result = result ? 0 : 1;
	}
	if (result > 0) {
		result = remove_folders(bpffs, &released, err);
		pins_unlock(&pins);
	} else if (!result) {
		/* a program stays attached to its group even without its pins */
		result = remove_steer(bpffs, &released, err);
	}
	if (groups)
		*groups = released;
	return result < 0 ? result : removed + result;
}

static const struct {
	const char *name;
	int (*next)(__u32 from, __u32 *id);
	int (*open)(__u32 id);
} kinds[PINS_KINDS] = {
	[PINS_LINK] = { "link", bpf_link_get_next_id, bpf_link_get_fd_by_id },
	[PINS_PROG] = { "program", bpf_prog_get_next_id, bpf_prog_get_fd_by_id },
	[PINS_MAP] = { "map", bpf_map_get_next_id, bpf_map_get_fd_by_id },
};

/* Reads the name of a BPF object; the name of a link is that of its program. */
static int read_name(enum pins_kind kind, int fd, char name[BPF_OBJ_NAME_LEN])
{
	struct bpf_map_info map = { 0 };
	struct bpf_prog_info prog;
	struct hook_link link;
	__u32 length = sizeof(map);
	int result;

	if (kind == PINS_MAP) {
		result = bpf_obj_get_info_by_fd(fd, &map, &length) ? -errno : 0;
		memcpy(name, map.name, BPF_OBJ_NAME_LEN);
		return result;
	}
	if (kind == PINS_PROG) {
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

typedef void (*object_fn)(enum pins_kind kind, __u32 id, const char *name, void *arg);

/*
 * Calls fn, which may be NULL, for each BPF object of this kind that sluice has created. Returns
 * their number, or -errno.
 */
static int find_kind(enum pins_kind kind, object_fn fn, void *arg)
{
	int found = 0;
	__u32 id = 0;

	while (!kinds[kind].next(id, &id)) {
		char name[BPF_OBJ_NAME_LEN] = "";
		int fd = kinds[kind].open(id), result;

		/* EAGAIN: another process is still creating the link; its program is counted */
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
			fn(kind, id, name, arg);
	}
	return errno == ENOENT ? found : -errno;
}

static int find_all(object_fn fn, void *arg)
{
	int found = 0, count;
	enum pins_kind kind;

	for (kind = 0; kind < PINS_KINDS; kind++) {
		count = find_kind(kind, fn, arg);
		if (count < 0)
			return count;
		found += count;
	}
	return found;
}

/* Copies DIR from a path DIR/OBJECT/NAME or DIR/steer/GROUP/NAME. Returns false for other paths. */
static bool pin_dir(const char *path, char dir[PATH_MAX])
{
	const char *slash;
	size_t i;

	for (slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/'))
		for (i = 0; pins_folders[i]; i++) {
			size_t length = strlen(pins_folders[i]);

			if (strncmp(slash + 1, pins_folders[i], length) || slash[1 + length] != '/')
				continue;
			snprintf(dir, PATH_MAX, "%.*s", (int)(slash - path), path);
			return true;
		}
	return false;
}

struct finder {
	struct holders holders;
	cleanup_left_fn fn;
	void *arg;
	char dir[PATH_MAX]; /* the first pin directory found, other than `own` */
	const char *own;
	bool has_own;
};

static bool is_same_dir(const char *one, const char *other)
{
	struct stat a, b;

	return !stat(one, &a) && !stat(other, &b) && a.st_ino == b.st_ino && a.st_dev == b.st_dev;
}

static void note_dir(enum pins_kind kind, __u32 id, const char *name, void *arg)
{
	struct finder *finder = arg;
	const struct bpf_holder *holder = NULL;
	char dir[PATH_MAX];

	while (!*finder->dir && (holder = holders_next(&finder->holders, kind, id, holder))) {
		if (!pin_dir(holder->name, dir))
			continue;
		if (is_same_dir(dir, finder->own))
			finder->has_own = true;
		else
			memcpy(finder->dir, dir, sizeof(dir));
	}
}

void cleanup_hint_elsewhere(const char *bpffs, struct err *err)
{
	struct finder finder = { .own = bpffs };

	if (find_kind(PINS_PROG, NULL, NULL) <= 0)
		return;
	holders_add_pins(&finder.holders);
	find_all(note_dir, &finder);
	holders_free(&finder.holders);
	if (*finder.dir)
		err_hint(err, 0, "sluice is loaded in another directory: name it with --bpffs %s",
			 finder.dir);
	else if (!finder.has_own && !err->hint[0])
		err_hint(err, 0,
			 "the kernel holds programs of sluice that are not pinned here: 'bpftool -f"
			 " prog show' lists them");
}

int cleanup_hint_not_loaded(const char *bpffs, const char *object, int result, struct err *err)
{
	if (result == -ENOENT && !pins_exist(bpffs, object, &(struct err){ 0 }))
		cleanup_hint_elsewhere(bpffs, err);
	return result;
}

static void on_left(enum pins_kind kind, __u32 id, const char *name, void *arg)
{
	const struct finder *finder = arg;
	struct cleanup_left left = { kinds[kind].name, id, name };
	const struct bpf_holder *holder = NULL;

	while (left.holders < CLEANUP_HOLDERS_MAX &&
	       (holder = holders_next(&finder->holders, kind, id, holder)))
		left.holder[left.holders++] = holder;
	left.has_dir = left.holders && !left.holder[0]->pid &&
		       pin_dir(left.holder[0]->name, left.dir);
	finder->fn(&left, finder->arg);
}

static void on_attached(__u32 prog_id, const char *group, void *arg)
{
	const struct finder *finder = arg;
	struct cleanup_left left = { "steered group", prog_id, group };

	finder->fn(&left, finder->arg);
}

int cleanup_find_left(cleanup_left_fn fn, void *arg, struct err *err)
{
	const struct timespec pause = { .tv_nsec = FREE_WAIT_NS };
	struct finder finder = { .fn = fn, .arg = arg };
	int tries, groups, found = find_all(NULL, NULL);

	for (tries = 0; found > 0 && tries < FREE_TRIES; tries++) {
		nanosleep(&pause, NULL);
		found = find_all(NULL, NULL);
	}
	if (found > 0) {
		/* pins first, since their paths contain the pin directory */
		if (holders_add_pins(&finder.holders) || holders_add_processes(&finder.holders))
			log_warning("cannot list all pins and processes: out of memory");
		found = find_all(on_left, &finder);
	}
	if (found > 0) {
		/* a program on a group needs neither a pin nor a link: report the group */
		groups = steer_attached(on_attached, &finder);
		found += groups < 0 ? 0 : groups;
	}
	holders_free(&finder.holders);
	if (found < 0)
		return err_set(err, EXIT_ERROR, -found, "cannot list the kernel's BPF objects: %s",
			       strerror(-found));
	return found;
}
