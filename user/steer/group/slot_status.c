// SPDX-License-Identifier: GPL-2.0-or-later
#include "steer/group/slot_status.h"

#include "steer/group/choice.h"
#include "steer/group/instance.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <string.h>
#include <unistd.h>

static void look_cpus(const struct steer_group *group, int slot, struct slot_status *look)
{
	int cpus = libbpf_num_possible_cpus(), i;
	__u32 cpu;

	for (cpu = 0; (int)cpu < cpus && cpu < SLUICE_STEER_CPUS; cpu++) {
		struct sluice_steer_cpu readers;

		if (bpf_map_lookup_elem(group->cpus_fd, &cpu, &readers))
			continue;
		for (i = 0; i < readers.count && i < SLUICE_STEER_CPU_SLOTS; i++)
			if (readers.slot[i] == slot)
				look->cpus[cpu / 64] |= 1ULL << cpu % 64;
	}
}

void slot_status_read(const struct steer_group *group, int slot, struct slot_status *look)
{
	__u32 key = (__u32)slot;
	__u64 cookie = 0;

	look->closed = bpf_map_lookup_elem(group->sockets_fd, &key, &cookie) ||
		       cookie != group->slots[slot].cookie;
	look->pid = group->slots[slot].pid;
	memcpy(look->comm, group->slots[slot].comm, sizeof(look->comm));
	if (group->info.policy != SLUICE_STEER_CPU)
		return;
	look_cpus(group, slot, look);
	if (steer_group_consumer(group, slot, &look->consumer))
		look->consumer = (struct sluice_steer_consumer){ 0 };
}

static bool process_is(const struct sluice_steer_slot *slot)
{
	__u64 instance = instance_of(slot->pid, SLUICE_STEER_BY_PROCESS);

	return instance && (instance == slot->instance ||
			    instance_of(slot->pid, SLUICE_STEER_BY_CGROUP) == slot->instance);
}

void slot_status_of_socket(const struct sockets *sockets, const struct sluice_steer_slot *slot,
			   struct slot_status *look)
{
	const struct sluice_socket_record *record = sockets_find(sockets, slot->cookie);
	__u64 cookie;
	int fd;

	if (!record)
		return;
	look->held = true;
	/*
	 * Who has joined it stays its owner for as long as it lives, whoever else holds it; and
	 * longer, where a drain has it from there.
	 */
	if (!process_is(slot) && !sockets_is_sluice(record->pid)) {
		look->pid = record->pid;
		memcpy(look->comm, record->comm, sizeof(look->comm));
	}
	look->queue_read = record->queue_read;
	fd = sockets_take(record, &cookie);
	if (fd < 0)
		return;
	look->measured = !sockets_memory(fd, &look->memory);
	look->drops = look->memory.drops - slot->drops_before;
	close(fd);
}
