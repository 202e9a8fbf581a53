// SPDX-License-Identifier: GPL-2.0-or-later
#include "steer/group/stats.h"

#include "kernel/state_dir.h"
#include "kernel/ticks.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct usage_walk {
	const struct steer_group *group;
	struct steer_usage *usage;
	__u32 now;
	__u32 limit;
	__u32 busy;
};

static int usage_add(const void *copy, void *arg)
{
	const struct sluice_steer_set *set = copy;
	const struct usage_walk *walk = arg;
	__u32 way;

	for (way = 0; way < SLUICE_STEER_WAYS; way++) {
		const struct sluice_steer_line *line = &set->line[way / 4];
		__u64 owner = line->owner[way % 4];
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
	return 0;
}

static int usage_read(const struct steer_group *group, __u32 now, __u32 busy_ms,
		      struct flow_table_part *part, __u32 sets, struct steer_usage *usage)
{
	struct usage_walk walk = { .group = group,
				   .usage = usage,
				   .now = now,
				   .limit = sluice_flow_clock(group->info.idle_ns),
				   .busy = sluice_flow_clock(busy_ms * 1000000ULL) };

	memset(usage, 0, sizeof(*usage));
	usage->size = group->info.sets * SLUICE_STEER_WAYS;
	return flow_table_walk_part(group->table_fd, sizeof(struct sluice_steer_set), 0, part, sets,
				    usage_add, &walk);
}

int steer_group_usage(const struct steer_group *group, __u32 busy_ms, struct steer_usage *usage)
{
	struct flow_table_part whole = { .sets = group->info.sets };
	__u32 now;
	int result = ticks_clock(&now);

	return result ? result : usage_read(group, now, busy_ms, &whole, ~0U, usage);
}

int steer_group_usage_part(const struct steer_group *group, __u32 now, struct flow_table_part *part,
			   __u32 sets, struct steer_usage *usage)
{
	return usage_read(group, now, 0, part, sets, usage);
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
