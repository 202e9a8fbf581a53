// SPDX-License-Identifier: GPL-2.0-or-later
#include "steer/poll.h"

#include "base/array.h"
#include "base/files.h"
#include "kernel/links.h"
#include "kernel/maps.h"
#include "kernel/pins.h"
#include "kernel/ticks.h"
#include "steer/group/ended.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Number of sets of flow tables per read, which takes about a millisecond. */
#define SETS_READ 16384
/* Number of free slots that are read after the last used slot. */
#define SLOTS_BEYOND 16

struct steer_poll *steer_poll_new(void)
{
	struct steer_poll *poll = calloc(1, sizeof(*poll));
	size_t cpus = (size_t)libbpf_num_possible_cpus();

	if (!poll)
		return NULL;
	poll->values = calloc(cpus * SLUICE_STEER_COUNTERS_MAX, sizeof(*poll->values));
	if (poll->values)
		return poll;
	free(poll);
	return NULL;
}

static void group_close(struct poll_group *group)
{
	int *const fds[] = { &group->group_fd, &group->slots_fd, &group->counters_fd,
			     &group->table_fd, &group->prog_fd };
	size_t i;

	for (i = 0; i < sizeof(fds) / sizeof(*fds); i++) {
		if (*fds[i] >= 0)
			close(*fds[i]);
		*fds[i] = -1;
	}
	map_close_array(group->table, group->mapped, sizeof(*group->table));
	group->table = NULL;
	group->mapped = 0;
}

void steer_poll_clear(struct steer_poll *poll)
{
	while (poll && poll->count)
		group_close(&poll->group[--poll->count]);
}

void steer_poll_free(struct steer_poll *poll)
{
	steer_poll_clear(poll);
	if (poll) {
		free(poll->group);
		free(poll->values);
	}
	free(poll);
}

/* Opens a pinned map. Returns a descriptor, or -1 if there is no such map. */
static int open_map(const char *dir, const char *group, const char *name, enum bpf_map_type type,
		    __u32 value_size)
{
	char path[PATH_MAX];
	int fd = bpf_obj_get(pins_path(dir, group, name, path));

	/* the kernel copies a whole value, regardless of the buffer size */
	if (fd < 0 || map_is(fd, type, sizeof(__u32), value_size))
		return fd < 0 ? -1 : fd;
	close(fd);
	return -1;
}

static bool read_info(struct poll_group *group)
{
	const __u32 zero = 0;

	return group->group_fd >= 0 && !bpf_map_lookup_elem(group->group_fd, &zero, &group->info) &&
	       group->info.abi == SLUICE_STEER_ABI && group->info.prog_id;
}

/* Opens a group. Returns false if the group is incomplete or of another version. */
static bool group_open(struct poll_group *group, const char *dir, const char *name)
{
	struct bpf_prog_info info;
	char path[PATH_MAX];

	snprintf(group->name, sizeof(group->name), "%s", name);
	group->group_fd = open_map(dir, name, "sluice_group", BPF_MAP_TYPE_ARRAY,
				   sizeof(struct sluice_steer_group));
	group->slots_fd = open_map(dir, name, "sluice_slots", BPF_MAP_TYPE_ARRAY,
				   sizeof(struct sluice_steer_slot));
	group->counters_fd = open_map(dir, name, "sluice_counters", BPF_MAP_TYPE_PERCPU_ARRAY,
				      sizeof(struct sluice_steer_counters));
	group->table_fd = open_map(dir, name, "sluice_table", BPF_MAP_TYPE_ARRAY,
				   sizeof(struct sluice_steer_set));
	group->prog_fd = bpf_obj_get(pins_path(dir, name, STEER_PIN_PROGRAM, path));
	if (group->slots_fd >= 0 && group->counters_fd >= 0 && group->table_fd >= 0 &&
	    !prog_info_by_fd(group->prog_fd, &info) && read_info(group)) {
		memcpy(group->program, info.name, sizeof(group->program));
		group->slots = SLUICE_STEER_SLOTS - SLOTS_BEYOND;
		return true;
	}
	group_close(group);
	return false;
}

/*
 * Finds the group of a directory. Starts at *cursor, the end of the last search, where the group
 * usually is.
 */
static struct poll_group *group_find(struct steer_poll *poll, const struct dirent *entry,
				     size_t *cursor)
{
	size_t i;

	for (i = 0; i < poll->count; i++) {
		struct poll_group *group = &poll->group[(*cursor + i) % poll->count];

		if (group->inode != entry->d_ino || strcmp(group->name, entry->d_name))
			continue;
		*cursor += i + 1;
		return group;
	}
	return NULL;
}

/* Opens a group and adds it; skips a group that cannot be opened. Returns 0 or -ENOMEM. */
static int group_add(struct steer_poll *poll, const char *dir, const struct dirent *entry)
{
	struct poll_group fresh = { .inode = entry->d_ino, .seen = true };
	void *groups = poll->group;
	const struct poll_group *last;

	if (array_grow(&groups, &poll->room, poll->count, sizeof(fresh)))
		return -ENOMEM;
	poll->group = groups;
	if (!group_open(&fresh, dir, entry->d_name))
		return 0;
	/* usually groups share a namespace, and a search costs one system call per name */
	last = poll->count ? &poll->group[poll->count - 1] : NULL;
	if (last && last->info.netns == fresh.info.netns)
		memcpy(fresh.netns, last->netns, sizeof(fresh.netns));
	else
		steer_netns_name(fresh.info.netns, fresh.netns);
	poll->group[poll->count++] = fresh;
	return 0;
}

static int groups_follow(struct steer_poll *poll, const char *bpffs)
{
	char path[PATH_MAX];
	const char *dir = steer_dir(bpffs, path);
	DIR *folder = opendir(dir);
	struct poll_group *group;
	struct dirent *entry;
	int result = 0;
	size_t i, cursor = 0;

	if (!folder)
		return -errno;
	files_raise_limit();
	for (i = 0; i < poll->count; i++)
		poll->group[i].seen = false;
	while (!result && (entry = readdir(folder))) {
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		group = group_find(poll, entry, &cursor);
		if (group)
			group->seen = true;
		else
			result = group_add(poll, dir, entry);
	}
	closedir(folder);
	for (i = poll->count; i-- > 0;) {
		if (poll->group[i].seen)
			continue;
		group_close(&poll->group[i]);
		poll->group[i] = poll->group[--poll->count];
	}
	return result;
}

/*
 * Reads the slots up to the last used slot. A socket joins at the first free slot, so slots after a
 * run of SLOTS_BEYOND free slots are free too. A used slot is missed only if SLOTS_BEYOND sockets
 * before it have joined and left between two reads.
 */
static bool slots_read(struct steer_poll *poll, struct poll_group *group)
{
	struct sluice_steer_slot *slots = poll->scratch.slots;
	__u32 keys[SLUICE_STEER_SLOTS], cursor = 0, count, read = 0, end = group->slots, used;

	/* clear the slots of the previous group; the rest are free */
	memset(slots, 0, poll->slots * sizeof(*slots));
	for (used = 0; read < SLUICE_STEER_SLOTS && read < end + SLOTS_BEYOND; end = used) {
		count = end + SLOTS_BEYOND - read;
		poll->slots = read + count;
		if (bpf_map_lookup_batch(group->slots_fd, read ? &cursor : NULL, &cursor, keys,
					 slots + read, &count, NULL) &&
		    errno != ENOENT)
			return false;
		if (!count)
			break;
		for (; count; count--, read++)
			if (slots[read].state != SLUICE_STEER_FREE)
				used = read + 1;
		if (used < end)
			used = end;
	}
	for (used = read; used && slots[used - 1].state == SLUICE_STEER_FREE;)
		used--;
	group->slots = used;
	return true;
}

/*
 * Maps the first @sets sets of the flow table. A group keeps its mapping, since mapping a few sets
 * takes longer than reading them.
 */
static bool table_map(struct poll_group *group, __u32 sets)
{
	if (group->mapped >= sets)
		return true;
	map_close_array(group->table, group->mapped, sizeof(*group->table));
	group->table = map_open_array(group->table_fd, sets, sizeof(*group->table), false);
	group->mapped = group->table ? sets : 0;
	return group->table;
}

static bool group_read(struct steer_poll *poll, struct poll_group *group, __u32 sets)
{
	int cpus = libbpf_num_possible_cpus(), cpu, i;
	struct steer_group *scratch = &poll->scratch;
	struct bpf_prog_info info;
	const __u32 zero = 0;

	if (sets > group->info.sets)
		sets = group->info.sets;
	scratch->info = group->info;
	if (!slots_read(poll, group) || prog_info_by_fd(group->prog_fd, &info) ||
	    bpf_map_lookup_elem(group->counters_fd, &zero, poll->values) || !table_map(group, sets))
		return false;
	steer_group_usage_part(scratch, group->table, sets, poll->now, &poll->usage);
	group->run_ns = info.run_time_ns;
	group->runs = info.run_cnt;
	group->live = flow_table_estimate(poll->usage.live + poll->usage.half_open, sets,
					  group->info.sets);
	memset(group->counters, 0, sizeof(group->counters));
	for (cpu = 0; cpu < cpus; cpu++)
		for (i = 0; i < SLUICE_STEER_COUNTERS_MAX; i++)
			group->counters[i] += poll->values[cpu * SLUICE_STEER_COUNTERS_MAX + i];
	group->counters[STEER_DRAIN_UNREAD] = group->info.drain_unread;
	memset(group->workers, 0, sizeof(group->workers));
	for (i = 0; i < (int)group->slots; i++)
		if (scratch->slots[i].state < POLL_STATES)
			group->workers[scratch->slots[i].state]++;
	return true;
}

/* Reads a group. Opens it again if its program or table has been replaced. */
static bool group_refresh(struct steer_poll *poll, const char *dir, struct poll_group *group,
			  __u32 sets)
{
	struct poll_group before = *group;

	if (!read_info(group))
		return false;
	if (group->info.prog_id != before.info.prog_id || group->info.sets != before.info.sets) {
		group_close(group);
		if (!group_open(group, dir, before.name))
			return false;
	}
	return group_read(poll, group, sets);
}

/* Opens new groups and reads them; with @all, also reads the other groups. */
static int read_groups(struct steer_poll *poll, const char *bpffs, bool all)
{
	char dir[PATH_MAX];
	struct err err = { 0 };
	int result = steer_read(bpffs, &poll->meta, &err);
	__u32 sets;
	size_t i;

	if (!result)
		result = ticks_clock(&poll->now);
	if (!result)
		result = groups_follow(poll, bpffs);
	if (result) {
		steer_poll_clear(poll);
		return result;
	}
	steer_dir(bpffs, dir);
	sets = poll->count ? SETS_READ / (__u32)poll->count + 1 : 0;
	for (i = poll->count; i-- > 0;) {
		if (poll->group[i].read && !all)
			continue;
		poll->group[i].read = group_refresh(poll, dir, &poll->group[i], sets);
		if (poll->group[i].read)
			continue;
		group_close(&poll->group[i]);
		poll->group[i] = poll->group[--poll->count];
	}
	return 0;
}

int steer_poll_follow(struct steer_poll *poll, const char *bpffs)
{
	return read_groups(poll, bpffs, false);
}

int steer_poll_read(struct steer_poll *poll, const char *bpffs)
{
	return read_groups(poll, bpffs, true);
}

void steer_poll_datagrams(const char *bpffs, __u64 *datagrams)
{
	int cpus = libbpf_num_possible_cpus(), cpu, fd;
	struct sluice_steer_counters *values = calloc((size_t)cpus, sizeof(*values));
	struct steer_ended *ended;
	size_t count = steer_ended_read(bpffs, &ended), i;
	char path[PATH_MAX];
	const char *dir = steer_dir(bpffs, path);
	DIR *folder = values ? opendir(dir) : NULL;
	const struct dirent *entry;
	const __u32 zero = 0;

	*datagrams = 0;
	for (i = 0; i < count; i++)
		*datagrams += steer_datagrams(ended[i].counters);
	free(ended);
	while (folder && (entry = readdir(folder))) {
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		fd = open_map(dir, entry->d_name, "sluice_counters", BPF_MAP_TYPE_PERCPU_ARRAY,
			      sizeof(*values));
		if (fd < 0)
			continue;
		if (!bpf_map_lookup_elem(fd, &zero, values))
			for (cpu = 0; cpu < cpus; cpu++)
				*datagrams += steer_datagrams(values[cpu].value);
		close(fd);
	}
	if (folder)
		closedir(folder);
	free(values);
}
