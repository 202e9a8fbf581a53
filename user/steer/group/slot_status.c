// SPDX-License-Identifier: GPL-2.0-or-later
#include "steer/group/slot_status.h"

#include "steer/group/choice.h"
#include "steer/group/owner.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <string.h>

void slot_status_read(const struct steer_group *group, int slot, struct slot_status *status)
{
	int possible = libbpf_num_possible_cpus(), i;
	__u32 key = (__u32)slot, cpu;
	__u64 cookie = 0;

	status->closed = bpf_map_lookup_elem(group->sockets_fd, &key, &cookie) ||
			 cookie != group->slots[slot].cookie;
	status->pid = group->slots[slot].pid;
	memcpy(status->comm, group->slots[slot].comm, sizeof(status->comm));
	if (group->info.policy != SLUICE_STEER_CPU)
		return;
	for (cpu = 0; (int)cpu < possible && cpu < SLUICE_STEER_CPUS; cpu++) {
		struct sluice_steer_cpu slots;

		if (bpf_map_lookup_elem(group->cpus_fd, &cpu, &slots))
			continue;
		for (i = 0; i < slots.count && i < SLUICE_STEER_CPU_SLOTS; i++)
			if (slots.slot[i] == slot)
				status->cpus[cpu / 64] |= 1ULL << cpu % 64;
	}
	if (steer_group_consumer(group, slot, &status->consumer))
		status->consumer = (struct sluice_steer_consumer){ 0 };
}

void slot_status_of_socket(const struct sockets *sockets, const struct sluice_steer_slot *slot,
			   struct slot_status *status)
{
	const struct sluice_socket_record *record = sockets_find(sockets, slot->cookie), *owner;

	if (!record)
		return;
	status->held = true;
	status->holders = owners_count(record);
	owner = owner_of(sockets, slot);
	if (owner) {
		status->pid = owner->pid;
		memcpy(status->comm, owner->comm, sizeof(status->comm));
	}
	status->queue_used = record->queue_used;
	status->queue_room = record->queue_room;
	status->queue_read = record->queue_read;
	status->drops = record->drops - slot->drops_before;
}
