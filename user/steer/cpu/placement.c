// SPDX-License-Identifier: GPL-2.0-or-later
#include "steer/cpu/placement.h"

#include "steer/cpu/consumers.h"
#include "steer/group/choice.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

static struct sluice_steer_consumer consumer_of(__u64 cookie, __u32 tid, int cpu,
						enum sluice_steer_consumer_cpu known)
{
	struct sluice_steer_consumer consumer = { .cookie = cookie };

	if (cpu < 0 || cpu >= SLUICE_STEER_CPUS)
		return consumer;
	consumer.tid = tid;
	consumer.cpu = (__u16)cpu;
	consumer.known = (__u16)known;
	return consumer;
}

static struct sluice_steer_consumer consumer_find(const struct sluice_steer_slot *slot,
						  const struct sluice_steer_consumer *before,
						  int consumers_fd)
{
	struct sluice_consumer seen;
	__u32 tid = 0;
	int cpu;

	if (consumers_fd >= 0 && consumers_read(consumers_fd, slot->cookie, &seen)) {
		/* several threads that share a socket are not pinned to one CPU */
		cpu = seen.tid && !seen.shared ? consumers_thread_cpu(seen.tid) : -ENOENT;
		if (cpu >= 0)
			return consumer_of(slot->cookie, seen.tid, cpu, SLUICE_STEER_CPU_PINNED);
		return consumer_of(slot->cookie, seen.tid, seen.cpu, SLUICE_STEER_CPU_SEEN);
	}
	/* the affinity of a known thread may have changed, or the thread may have exited */
	cpu = before->tid ? consumers_thread_cpu(before->tid) : -ESRCH;
	if (cpu >= 0)
		return consumer_of(slot->cookie, before->tid, cpu, SLUICE_STEER_CPU_PINNED);
	if (cpu == -ENOENT || (!before->tid && before->known == SLUICE_STEER_CPU_SEEN))
		return consumer_of(slot->cookie, before->tid, before->cpu, SLUICE_STEER_CPU_SEEN);
	cpu = consumers_process_cpu(slot->pid, &tid);
	return consumer_of(slot->cookie, tid, cpu, SLUICE_STEER_CPU_PINNED);
}

int steer_placement(const struct steer_group *group, int consumers_fd)
{
	struct sluice_steer_consumer before[SLUICE_STEER_SLOTS];
	int slot, result = steer_group_consumers(group, before);

	for (slot = 0; slot < SLUICE_STEER_SLOTS && !result; slot++) {
		struct sluice_steer_consumer consumer;

		if (group->slots[slot].state == SLUICE_STEER_FREE)
			continue;
		consumer = consumer_find(&group->slots[slot], &before[slot], consumers_fd);
		if (memcmp(&consumer, &before[slot], sizeof(consumer)) &&
		    bpf_map_update_elem(group->placed_fd, &slot, &consumer, BPF_EXIST))
			result = -errno;
	}
	return result ? result : steer_group_place_cpus(group);
}
