// SPDX-License-Identifier: GPL-2.0-or-later
#include "steer/group/stats.h"

#include "kernel/maps.h"
#include "kernel/state_dir.h"
#include "kernel/ticks.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

const struct counter steer_counters[STEER_COUNTERS] = { SLUICE_STEER_COUNTERS(COUNTER)
								STEER_RECORD_COUNTERS(COUNTER) };

struct usage_walk {
	const struct steer_group *group;
	struct steer_usage *usage;
	__u32 now;
	__u32 limit;
	__u32 busy;
};

static void usage_add(const struct usage_walk *walk, const struct sluice_steer_set *set)
{
	__u32 way;

	for (way = 0; way < SLUICE_STEER_WAYS; way++) {
		const struct sluice_steer_line *line = &set->line[way / 4];
		__u64 owner = __atomic_load_n(&line->owner[way % 4], __ATOMIC_RELAXED);
		__u32 idle = sluice_steer_owner_idle(owner, walk->now);
		__u32 index = sluice_steer_owner_slot(owner);
		const struct sluice_steer_slot *slot = &walk->group->slots[index];

		if (!line->print[way % 4])
			continue;
		if (idle > walk->limit ||
		    slot->incarnation != sluice_steer_owner_incarnation(owner) ||
		    slot->state == SLUICE_STEER_FREE) {
			walk->usage->expired++;
			continue;
		}
		if (sluice_steer_owner_received(owner) > 1)
			walk->usage->live++;
		else
			walk->usage->half_open++;
		walk->usage->of_slot[index]++;
		walk->usage->busy[index] += idle <= walk->busy;
	}
}

static void usage_read(const struct steer_group *group, const struct sluice_steer_set *table,
		       __u32 sets, __u32 now, __u32 busy_ms, struct steer_usage *usage)
{
	struct usage_walk walk = { .group = group,
				   .usage = usage,
				   .now = now,
				   .limit = sluice_flow_clock(group->info.idle_ns),
				   .busy = sluice_flow_clock(busy_ms * 1000000ULL) };
	__u32 i;

	memset(usage, 0, sizeof(*usage));
	usage->size = group->info.sets * SLUICE_STEER_WAYS;
	for (i = 0; i < sets; i++)
		usage_add(&walk, &table[i]);
}

/* Maps the table, since one system call per set would take longer. */
int steer_group_usage(const struct steer_group *group, __u32 busy_ms, struct steer_usage *usage)
{
	const struct sluice_steer_set *table;
	__u32 now, sets = group->info.sets;
	int result = ticks_clock(&now);

	if (result)
		return result;
	table = map_open_array(group->table_fd, sets, sizeof(*table), false);
	if (!table)
		return -errno;
	usage_read(group, table, sets, now, busy_ms, usage);
	map_close_array(table, sets, sizeof(*table));
	return 0;
}

void steer_group_usage_part(const struct steer_group *group, const struct sluice_steer_set *table,
			    __u32 sets, __u32 now, struct steer_usage *usage)
{
	usage_read(group, table, sets, now, 0, usage);
}

int steer_group_counters(const struct steer_group *group, struct sluice_steer_counters *sum)
{
	struct state_dir plane = steer_group_state_dir(group->name);

	return state_dir_counters(&plane, group->dir, "sluice_counters", sum->value,
				  SLUICE_STEER_COUNTERS_MAX, &(struct err){ 0 });
}

int steer_group_stats(const struct steer_group *group,
		      struct sluice_steer_stats sum[SLUICE_STEER_SLOTS])
{
	int cpus = libbpf_num_possible_cpus(), cpu, result = 0;
	struct sluice_steer_stats *each = calloc((size_t)cpus, sizeof(*each));
	__u32 slot;

	memset(sum, 0, SLUICE_STEER_SLOTS * sizeof(*sum));
	if (!each)
		return -ENOMEM;
	for (slot = 0; slot < SLUICE_STEER_SLOTS && !result; slot++) {
		if (group->slots[slot].state == SLUICE_STEER_FREE)
			continue;
		if (bpf_map_lookup_elem(group->stats_fd, &slot, each))
			result = -errno;
		for (cpu = 0; !result && cpu < cpus; cpu++) {
			sum[slot].datagrams += each[cpu].datagrams;
			sum[slot].bytes += each[cpu].bytes;
			sum[slot].flows += each[cpu].flows;
			sum[slot].moved += each[cpu].moved;
		}
	}
	free(each);
	return result;
}
