// SPDX-License-Identifier: GPL-2.0-or-later
#include "steer/cpu/placement.h"

#include <errno.h>
#include <string.h>

static struct sluice_steer_reader reader_of(__u64 cookie, __u32 tid, int cpu,
					    enum sluice_steer_reader_cpu known)
{
	struct sluice_steer_reader reader = { .cookie = cookie };

	if (cpu < 0 || cpu >= SLUICE_STEER_CPUS)
		return reader;
	reader.tid = tid;
	reader.cpu = (__u16)cpu;
	reader.known = (__u16)known;
	return reader;
}

/* Several threads that read one socket have no CPU in common but by being pinned to it. */
static struct sluice_steer_reader reader_watched(__u64 cookie, const struct sluice_reader *seen)
{
	int cpu = seen->tid && !seen->shared ? readers_thread_cpu(seen->tid) : -ENOENT;

	if (cpu >= 0)
		return reader_of(cookie, seen->tid, cpu, SLUICE_STEER_CPU_PINNED);
	cpu = seen->reads ? (int)seen->cpu : readers_thread_last_cpu(seen->tid);
	return reader_of(cookie, seen->tid, cpu, SLUICE_STEER_CPU_SEEN);
}

/* A thread that was seen before may have been pinned, or let loose, since; or it is gone. */
static struct sluice_steer_reader reader_again(const struct sluice_steer_reader *before)
{
	int cpu = before->tid ? readers_thread_cpu(before->tid) : -ESRCH;

	if (cpu >= 0)
		return reader_of(before->cookie, before->tid, cpu, SLUICE_STEER_CPU_PINNED);
	if (cpu == -ENOENT)
		return reader_of(before->cookie, before->tid, before->cpu, SLUICE_STEER_CPU_SEEN);
	return (struct sluice_steer_reader){ .cookie = before->cookie };
}

static struct sluice_steer_reader reader_find(const struct sluice_steer_slot *slot,
					      const struct sluice_steer_reader *before,
					      const struct readers *watched)
{
	struct sluice_steer_reader reader = reader_again(before);
	struct sluice_reader seen;
	__u32 tid = 0;
	int cpu;

	if (watched && readers_get(watched, slot->cookie, &seen))
		return reader_watched(slot->cookie, &seen);
	if (reader.known)
		return reader;
	cpu = readers_process_cpu(slot->pid, &tid);
	return reader_of(slot->cookie, tid, cpu, SLUICE_STEER_CPU_PINNED);
}

int steer_place(const struct steer_group *group, const struct readers *watched)
{
	static struct sluice_steer_reader before[SLUICE_STEER_SLOTS];
	int slot, result = steer_group_readers(group, before);

	for (slot = 0; slot < SLUICE_STEER_SLOTS && !result; slot++) {
		struct sluice_steer_reader reader;

		if (group->slots[slot].state == SLUICE_STEER_FREE)
			continue;
		reader = reader_find(&group->slots[slot], &before[slot], watched);
		if (memcmp(&reader, &before[slot], sizeof(reader)))
			result = steer_group_place(group, slot, &reader);
	}
	return result ? result : steer_group_place_all(group);
}
