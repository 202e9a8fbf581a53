// SPDX-License-Identifier: GPL-2.0-or-later
#include "steer/group/choice.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct ranked {
	__u32 rank;
	__u16 slot;
};

static int by_rank(const void *a, const void *b)
{
	const struct ranked *left = a, *right = b;

	return left->rank != right->rank ? (left->rank > right->rank) - (left->rank < right->rank)
					 : left->slot - right->slot;
}

int steer_group_choose(struct steer_group *group, const __u32 rank[SLUICE_STEER_SLOTS])
{
	struct sluice_steer_choice fresh = { 0 }, current;
	struct ranked ranked[SLUICE_STEER_SLOTS];
	__u32 i, zero = 0, index = 0;

	for (i = 0; i < SLUICE_STEER_SLOTS; i++)
		if (group->slots[i].state == SLUICE_STEER_ACTIVE)
			ranked[fresh.count++] = (struct ranked){ rank[i], (__u16)i };
	qsort(ranked, fresh.count, sizeof(*ranked), by_rank);
	for (i = 0; i < fresh.count; i++)
		fresh.slot[i] = ranked[i].slot;
	if (bpf_map_lookup_elem(group->current_fd, &zero, &index) ||
	    bpf_map_lookup_elem(group->choices_fd, &index, &current))
		return -errno;
	if (!memcmp(&fresh, &current, sizeof(fresh)))
		return 0;
	index = !index;
	if (bpf_map_update_elem(group->choices_fd, &index, &fresh, BPF_EXIST) ||
	    bpf_map_update_elem(group->current_fd, &zero, &index, BPF_EXIST))
		return -errno;
	return 0;
}

/* --- the CPUs of the readers */

int steer_group_set_consumer(const struct steer_group *group, int slot,
			     const struct sluice_steer_consumer *reader)
{
	__u32 key = (__u32)slot;

	return bpf_map_update_elem(group->placed_fd, &key, reader, BPF_EXIST) ? -errno : 0;
}

int steer_group_consumer(const struct steer_group *group, int slot,
			 struct sluice_steer_consumer *reader)
{
	const __u64 cookie = group->slots[slot].cookie;
	__u32 key = (__u32)slot;

	if (bpf_map_lookup_elem(group->placed_fd, &key, reader))
		return -errno;
	if (reader->cookie != cookie)
		*reader = (struct sluice_steer_consumer){ .cookie = cookie };
	return 0;
}

int steer_group_consumers(const struct steer_group *group,
			  struct sluice_steer_consumer readers[SLUICE_STEER_SLOTS])
{
	int slot, result = 0;

	memset(readers, 0, SLUICE_STEER_SLOTS * sizeof(*readers));
	for (slot = 0; slot < SLUICE_STEER_SLOTS && !result; slot++)
		if (group->slots[slot].state != SLUICE_STEER_FREE)
			result = steer_group_consumer(group, slot, &readers[slot]);
	return result;
}

/* A reader that may move is given a CPU's datagrams only where none is pinned. */
static void cpus_make(const struct steer_group *group, const struct sluice_steer_consumer *readers,
		      struct sluice_steer_cpu cpus[SLUICE_STEER_CPUS])
{
	bool pinned[SLUICE_STEER_CPUS] = { false };
	int known, slot;

	for (known = SLUICE_STEER_CPU_PINNED; known > SLUICE_STEER_CPU_UNKNOWN; known--)
		for (slot = 0; slot < SLUICE_STEER_SLOTS; slot++) {
			struct sluice_steer_cpu *cpu = &cpus[readers[slot].cpu % SLUICE_STEER_CPUS];

			if (group->slots[slot].state != SLUICE_STEER_ACTIVE ||
			    readers[slot].known != known || cpu->count == SLUICE_STEER_CPU_SLOTS ||
			    (known == SLUICE_STEER_CPU_SEEN && pinned[cpu - cpus]))
				continue;
			pinned[cpu - cpus] = known == SLUICE_STEER_CPU_PINNED;
			cpu->slot[cpu->count++] = (__u16)slot;
		}
}

int steer_group_place_cpus(const struct steer_group *group)
{
	struct sluice_steer_consumer readers[SLUICE_STEER_SLOTS];
	struct sluice_steer_cpu fresh[SLUICE_STEER_CPUS] = { 0 }, current;
	int result = steer_group_consumers(group, readers), possible = libbpf_num_possible_cpus();
	__u32 cpu;

	if (result || possible < 0)
		return result ? result : possible;
	cpus_make(group, readers, fresh);
	for (cpu = 0; cpu < (__u32)possible && cpu < SLUICE_STEER_CPUS; cpu++) {
		if (bpf_map_lookup_elem(group->cpus_fd, &cpu, &current))
			return -errno;
		if (memcmp(&fresh[cpu], &current, sizeof(current)) &&
		    bpf_map_update_elem(group->cpus_fd, &cpu, &fresh[cpu], BPF_EXIST))
			return -errno;
	}
	return 0;
}
