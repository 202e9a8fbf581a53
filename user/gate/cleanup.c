// SPDX-License-Identifier: GPL-2.0-or-later
#include "cleanup.h"

#include "claim.h"
#include "log.h"
#include "pins.h"
#include "wire.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Every program and map of ours has it; 15 characters of a name reach the kernel. */
#define OUR_PREFIX "sluice_"

/* The folders that any version has made below DIR; what else is there is not ours. */
static const char *const planes[] = { "reply", "wire", "steer", "meet", CLAIM_FOLDER };

/* Links, programs and maps are freed after an RCU grace period and a work queue. */
#define FREE_TRIES   30
#define FREE_WAIT_NS 100000000L

/* The daemon's claim stays while it runs; it is no pin. */
static bool is_claimed(const char *bpffs, const char *name)
{
	int pid = strcmp(name, CLAIM_FOLDER) ? 0 : claim_holder(bpffs);

	if (pid)
		log_warning("'sluice run' goes on, and loads again when it is told to reload"
			    " (process %d)",
			    pid);
	return pid;
}

int cleanup_remove(const char *bpffs, struct err *err)
{
	int removed = 0, result = pins_exist(bpffs, ".", err);
	struct pins pins;
	size_t i;

	if (result <= 0)
		return result;
	result = pins_lock(&pins, bpffs, false, err);
	if (result)
		return result;
	/* before the pins go, which say what else is ours to take away */
	removed = wire_remove_filters(bpffs, err);
	if (removed < 0) {
		result = removed;
		removed = 0;
	}
	for (i = 0; i < sizeof(planes) / sizeof(*planes) && !result; i++) {
		int count = is_claimed(bpffs, planes[i]) ? 0 : pins_remove(bpffs, planes[i], err);

		result = count < 0 ? count : 0;
		removed += result ? 0 : count;
	}
	pins_unlock(&pins);
	return result ? result : removed;
}

/* The name of an object; for a link that of its program. Returns 0 if it is ours. */
static int name_program(int fd, char name[BPF_OBJ_NAME_LEN])
{
	struct bpf_prog_info info = { 0 };
	__u32 length = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &length))
		return -errno;
	memcpy(name, info.name, BPF_OBJ_NAME_LEN);
	return 0;
}

static int name_map(int fd, char name[BPF_OBJ_NAME_LEN])
{
	struct bpf_map_info info = { 0 };
	__u32 length = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &length))
		return -errno;
	memcpy(name, info.name, BPF_OBJ_NAME_LEN);
	return 0;
}

static int name_link(int fd, char name[BPF_OBJ_NAME_LEN])
{
	struct bpf_link_info info = { 0 };
	__u32 length = sizeof(info);
	int result, prog_fd;

	if (bpf_obj_get_info_by_fd(fd, &info, &length))
		return -errno;
	prog_fd = bpf_prog_get_fd_by_id(info.prog_id);
	if (prog_fd < 0)
		return -errno;
	result = name_program(prog_fd, name);
	close(prog_fd);
	return result;
}

static const struct kind {
	const char *name;
	int (*next)(__u32 from, __u32 *id);
	int (*open)(__u32 id);
	int (*identify)(int fd, char name[BPF_OBJ_NAME_LEN]);
} kinds[] = {
	{ "link", bpf_link_get_next_id, bpf_link_get_fd_by_id, name_link },
#define PROGRAMS 1
	{ "program", bpf_prog_get_next_id, bpf_prog_get_fd_by_id, name_program },
	{ "map", bpf_map_get_next_id, bpf_map_get_fd_by_id, name_map },
};

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
		result = kind->identify(fd, name);
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
	if (found < 0)
		return err_set(err, found == -EPERM ? EXIT_PERMISSION : EXIT_ERROR, -found,
			       "list of the kernel's BPF objects: %s", strerror(-found));
	return found;
}
