// SPDX-License-Identifier: GPL-2.0-or-later
#include "steer/group/group.h"

#include "kernel/meta.h"
#include "kernel/pins.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <sluice/counters.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct state_dir steer_group_state_dir(const char *name)
{
	return (struct state_dir){
		.name = name,
		.meta = "sluice_group",
		.meta_size = sizeof(struct sluice_steer_group),
		.abi = SLUICE_STEER_ABI,
		.load = "sluice steer load",
	};
}

struct group_map {
	const char *name;
	enum bpf_map_type type;
	size_t fd; /* offset in struct steer_group */
	__u32 value_size;
};

#define FD(field) offsetof(struct steer_group, field)
static const struct group_map group_maps[] = {
	{ "sluice_group", BPF_MAP_TYPE_ARRAY, FD(group_fd), sizeof(struct sluice_steer_group) },
	{ "sluice_sockets", BPF_MAP_TYPE_REUSEPORT_SOCKARRAY, FD(sockets_fd), sizeof(__u64) },
	{ "sluice_slots", BPF_MAP_TYPE_ARRAY, FD(slots_fd), sizeof(struct sluice_steer_slot) },
	{ "sluice_choices", BPF_MAP_TYPE_ARRAY, FD(choices_fd),
	  sizeof(struct sluice_steer_choice) },
	{ "sluice_current", BPF_MAP_TYPE_ARRAY, FD(current_fd), sizeof(__u32) },
	{ "sluice_cpus", BPF_MAP_TYPE_ARRAY, FD(cpus_fd), sizeof(struct sluice_steer_cpu) },
	{ "sluice_placed", BPF_MAP_TYPE_ARRAY, FD(placed_fd),
	  sizeof(struct sluice_steer_consumer) },
	{ "sluice_table", BPF_MAP_TYPE_ARRAY, FD(table_fd), sizeof(struct sluice_steer_set) },
	{ "sluice_recent", BPF_MAP_TYPE_ARRAY, FD(recent_fd), sizeof(struct sluice_steer_recent) },
	{ "sluice_stats", BPF_MAP_TYPE_PERCPU_ARRAY, FD(stats_fd),
	  sizeof(struct sluice_steer_stats) },
	{ "sluice_counters", BPF_MAP_TYPE_PERCPU_ARRAY, FD(counters_fd),
	  sizeof(struct sluice_steer_counters) },
};
#define GROUP_MAPS (sizeof(group_maps) / sizeof(*group_maps))

static int *map_fd(struct steer_group *group, size_t i)
{
	return (int *)((char *)group + group_maps[i].fd);
}

struct steer_group *steer_group_new(const char *dir, const char *name)
{
	struct steer_group *group = calloc(1, sizeof(*group));
	size_t i;

	if (!group)
		return NULL;
	snprintf(group->dir, sizeof(group->dir), "%s", dir);
	snprintf(group->name, sizeof(group->name), "%s", name);
	group->drain_lock_fd = -1;
	for (i = 0; i < GROUP_MAPS; i++)
		*map_fd(group, i) = -1;
	return group;
}

static void maps_close(struct steer_group *group)
{
	size_t i;

	for (i = 0; i < GROUP_MAPS; i++) {
		if (*map_fd(group, i) >= 0)
			close(*map_fd(group, i));
		*map_fd(group, i) = -1;
	}
}

void steer_group_close(struct steer_group *group)
{
	if (!group)
		return;
	maps_close(group);
	if (group->drain_lock_fd >= 0)
		close(group->drain_lock_fd);
	free(group);
}

int steer_group_reload(struct steer_group *group)
{
	__u32 keys[SLUICE_STEER_SLOTS], cursor, count = SLUICE_STEER_SLOTS;

	/* reads all slots with one system call, because every sweep reads them */
	if (bpf_map_lookup_batch(group->slots_fd, NULL, &cursor, keys, group->slots, &count,
				 NULL) &&
	    errno != ENOENT)
		return -errno;
	return count == SLUICE_STEER_SLOTS ? 0 : -EIO;
}

int steer_group_open_maps(struct steer_group *group, struct err *err)
{
	struct state_dir plane = steer_group_state_dir(group->name);
	size_t i;

	maps_close(group);
	for (i = 0; i < GROUP_MAPS; i++) {
		int fd = state_dir_map_open(&plane, group->dir, group_maps[i].name,
					    group_maps[i].type, sizeof(__u32),
					    group_maps[i].value_size, err);

		if (fd < 0)
			return fd;
		*map_fd(group, i) = fd;
	}
	return 0;
}

int steer_group_open(const char *dir, const char *name, struct steer_group **group, struct err *err)
{
	struct state_dir plane = steer_group_state_dir(name);
	struct steer_group *fresh = steer_group_new(dir, name);
	struct bpf_prog_info info = { 0 };
	__u32 length = sizeof(info);
	int fd, result;

	if (!fresh)
		return -ENOMEM;
	result = meta_read(&plane, dir, &fresh->info, err);
	if (result)
		goto close;
	/*
	 * an interrupted change leaves a working group; an interrupted creation leaves no program
	 */
	if (fresh->info.state != SLUICE_LOADED && !fresh->info.prog_id) {
		result = -EUCLEAN;
		goto close;
	}
	result = steer_group_open_maps(fresh, err);
	if (!result)
		result = steer_group_reload(fresh);
	if (result)
		goto close;
	fd = pins_get(dir, name, STEER_PIN_PROGRAM, PINS_PROG);
	if (fd >= 0) {
		if (!bpf_obj_get_info_by_fd(fd, &info, &length)) {
			fresh->pinned_id = info.id;
			memcpy(fresh->pinned_tag, info.tag, sizeof(fresh->pinned_tag));
		}
		close(fd);
	}
	*group = fresh;
	return 0;
close:
	steer_group_close(fresh);
	return result;
}

int steer_group_reload_info(struct steer_group *group)
{
	const __u32 zero = 0;

	return bpf_map_lookup_elem(group->group_fd, &zero, &group->info) ? -errno : 0;
}

int steer_group_write_info(const struct steer_group *group, struct err *err)
{
	struct state_dir plane = steer_group_state_dir(group->name);

	return meta_write(&plane, group->group_fd, &group->info, group->info.state, err);
}
