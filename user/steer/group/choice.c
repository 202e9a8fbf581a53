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

/* --- the CPUs of the consumers */

int steer_group_consumer(const struct steer_group *group, int slot,
			 struct sluice_steer_consumer *consumer)
{
	const __u64 cookie = group->slots[slot].cookie;
	__u32 key = (__u32)slot;

	if (bpf_map_lookup_elem(group->placed_fd, &key, consumer))
		return -errno;
	if (consumer->cookie != cookie)
		*consumer = (struct sluice_steer_consumer){ .cookie = cookie };
	return 0;
}

int steer_group_consumers(const struct steer_group *group,
			  struct sluice_steer_consumer consumers[SLUICE_STEER_SLOTS])
{
	int slot, result = 0;

	memset(consumers, 0, SLUICE_STEER_SLOTS * sizeof(*consumers));
	for (slot = 0; slot < SLUICE_STEER_SLOTS && !result; slot++)
		if (group->slots[slot].state != SLUICE_STEER_FREE)
			result = steer_group_consumer(group, slot, &consumers[slot]);
	return result;
}

int steer_group_place_cpus(const struct steer_group *group)
{
	struct sluice_steer_consumer consumers[SLUICE_STEER_SLOTS];
	struct sluice_steer_cpu fresh[SLUICE_STEER_CPUS] = { 0 }, current;
	bool pinned[SLUICE_STEER_CPUS] = { false };
	int result = steer_group_consumers(group, consumers), possible = libbpf_num_possible_cpus();
	int known, slot;
	__u32 i;

	if (result || possible < 0)
		return result ? result : possible;
	/* pinned consumers first: other consumers get only CPUs without a pinned consumer */
	for (known = SLUICE_STEER_CPU_PINNED; known > SLUICE_STEER_CPU_UNKNOWN; known--)
		for (slot = 0; slot < SLUICE_STEER_SLOTS; slot++) {
			__u32 at = consumers[slot].cpu % SLUICE_STEER_CPUS;
			struct sluice_steer_cpu *cpu = &fresh[at];

			if (group->slots[slot].state != SLUICE_STEER_ACTIVE ||
			    consumers[slot].known != known ||
			    cpu->count == SLUICE_STEER_CPU_SLOTS ||
			    (known == SLUICE_STEER_CPU_SEEN && pinned[at]))
				continue;
			pinned[at] = known == SLUICE_STEER_CPU_PINNED;
			cpu->slot[cpu->count++] = (__u16)slot;
		}
	for (i = 0; i < (__u32)possible && i < SLUICE_STEER_CPUS; i++) {
		if (bpf_map_lookup_elem(group->cpus_fd, &i, &current))
			return -errno;
		if (memcmp(&fresh[i], &current, sizeof(current)) &&
		    bpf_map_update_elem(group->cpus_fd, &i, &fresh[i], BPF_EXIST))
			return -errno;
	}
	return 0;
}
