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

/* Every program and map of ours has it; 15 characters of a name reach the kernel. */
#define OUR_PREFIX "sluice_"

/*
 * The folders that any version has made below DIR; what else is there is not ours.  That of
 * steering holds folders, and programs that their pins do not detach.
 */
static const char *const planes[] = { "reply", "wire", "meet", DAEMON_LOCK_DIR };

/* Links, programs and maps are freed after an RCU grace period and a work queue. */
#define FREE_TRIES   30
#define FREE_WAIT_NS 100000000L

/* The daemon's claim stays while it runs; it is no pin. */
static bool is_claimed(const char *bpffs, const char *name)
{
	int pid = strcmp(name, DAEMON_LOCK_DIR) ? 0 : daemon_lock_holder(bpffs);

	if (pid)
		log_warning("'sluice run' goes on, and loads again when it is told to reload"
			    " (process %d)",
			    pid);
	return pid;
}

static void on_steer_event(const struct steer_event *news, void *arg)
{
	*(int *)arg += news->type == STEER_GROUP_RELEASED;
}

/* What this version knows how to unload goes in the right order; what is left, by force. */
static int steer_cleanup(const char *bpffs, bool locked, int *groups, struct err *err)
{
	struct steer_removed removed;
	int result;

	if (!locked) {
		result = steer_unload(bpffs, false, on_steer_event, groups, &(struct err){ 0 });
		return result > 0 ? result : 0;
	}
	result = steer_remove(bpffs, &removed, err);
	*groups += removed.groups;
	return result ? result : removed.pins;
}

static int remove_locked(const char *bpffs, int *groups, struct err *err)
{
	/* before the pins go, which say what else is ours to take away */
	int removed = wire_remove_filters(bpffs, err), result = removed < 0 ? removed : 0, count;
	struct err second;
	size_t i;

	removed = removed < 0 ? 0 : removed;
	for (i = 0; i < sizeof(planes) / sizeof(*planes) && !result; i++) {
		count = is_claimed(bpffs, planes[i]) ? 0 : pins_remove(bpffs, planes[i], err);
		result = count < 0 ? count : 0;
		removed += result ? 0 : count;
	}
	count = steer_cleanup(bpffs, true, groups, result ? &second : err);
	if (!result)
		result = count < 0 ? count : 0;
	return result ? result : removed + count;
}

int cleanup_remove(const char *bpffs, int *groups, struct err *err)
{
	int removed, given_back = 0, result = pins_exist(bpffs, ".", err);
	struct pins pins;

	if (result < 0)
		return result;
	removed = result ? steer_cleanup(bpffs, false, &given_back, err) : 0;
	result = pins_exist(bpffs, ".", err);
	if (result > 0) {
		result = pins_lock(&pins, bpffs, false, err);
		if (result)
			return result;
		result = remove_locked(bpffs, &given_back, err);
		pins_unlock(&pins);
	} else if (!result) {
		/* without its pins, a program is on its group still */
		result = steer_cleanup(bpffs, true, &given_back, err);
	}
	if (groups)
		*groups = given_back;
	return result < 0 ? result : removed + result;
}

union info {
	struct bpf_link_info link;
	struct bpf_prog_info prog;
	struct bpf_map_info map;
};

static const struct kind {
	const char *name;
	int (*next)(__u32 from, __u32 *id);
	int (*open)(__u32 id);
	__u32 info_size;
	size_t name_at; /* in the info */
} kinds[] = {
	{ "link", bpf_link_get_next_id, bpf_link_get_fd_by_id, sizeof(struct bpf_link_info), 0 },
#define PROGRAMS 1
	{ "program", bpf_prog_get_next_id, bpf_prog_get_fd_by_id, sizeof(struct bpf_prog_info),
	  offsetof(struct bpf_prog_info, name) },
	{ "map", bpf_map_get_next_id, bpf_map_get_fd_by_id, sizeof(struct bpf_map_info),
	  offsetof(struct bpf_map_info, name) },
};

/* A link has the name of its program. */
static int identify(const struct kind *kind, int fd, char name[BPF_OBJ_NAME_LEN])
{
	union info info = { 0 };
	__u32 length = kind->info_size;
	int result, prog_fd;

	if (bpf_obj_get_info_by_fd(fd, &info, &length))
		return -errno;
	if (kind->name_at) {
		memcpy(name, (char *)&info + kind->name_at, BPF_OBJ_NAME_LEN);
		return 0;
	}
	prog_fd = bpf_prog_get_fd_by_id(info.link.prog_id);
	if (prog_fd < 0)
		return -errno;
	result = identify(&kinds[PROGRAMS], prog_fd, name);
	close(prog_fd);
	return result;
}

static int find_kind(const struct kind *kind, cleanup_left_fn fn, void *arg)
{
	int found = 0;
	__u32 id = 0;

	while (!kind->next(id, &id)) {
		char name[BPF_OBJ_NAME_LEN] = "";
		int fd = kind->open(id), result;

		/* EAGAIN: a link that is being made; its program is there already, and tells. */
		if (fd < 0 && (errno == ENOENT || errno == EAGAIN))
			continue;
		if (fd < 0)
			return -errno;
		result = identify(kind, fd, name);
		close(fd);
		if (result || strncmp(name, OUR_PREFIX, strlen(OUR_PREFIX)))
			continue;
		found++;
		if (fn)
			fn(kind->name, id, name, arg);
	}
	return errno == ENOENT ? found : -errno;
}

int cleanup_count_left(void)
{
	return find_kind(&kinds[PROGRAMS], NULL, NULL);
}

static int find_all(cleanup_left_fn fn, void *arg)
{
	int found = 0;
	size_t i;

	for (i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		int count = find_kind(&kinds[i], fn, arg);

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

/* A program on a group is in no pin, and in no link: it says where it is. */
static int steer_left(cleanup_left_fn fn, void *arg)
{
	struct left left = { fn, arg };
	int found = steer_attached(on_attached, &left);

	return found < 0 ? 0 : found;
}

int cleanup_find_left(cleanup_left_fn fn, void *arg, struct err *err)
{
	const struct timespec pause = { .tv_nsec = FREE_WAIT_NS };
	int tries, found = find_all(NULL, NULL);

	for (tries = 0; found > 0 && tries < FREE_TRIES; tries++) {
		nanosleep(&pause, NULL);
		found = find_all(NULL, NULL);
	}
	if (found > 0)
		found = find_all(fn, arg);
	if (found > 0)
		found += steer_left(fn, arg);
	if (found < 0)
		return err_set(err, found == -EPERM ? EXIT_PERMISSION : EXIT_ERROR, -found,
			       "list of the kernel's BPF objects: %s", strerror(-found));
	return found;
}
