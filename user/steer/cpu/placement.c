// SPDX-License-Identifier: GPL-2.0-or-later
#include "steer/cpu/placement.h"

#include "kernel/pins.h"
#include "steer/cpu/consumers.h"
#include "steer/group/choice.h"
#include "steer/group/groups.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define POLL_MS 50

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
		/* threads that share a socket have no CPU in common */
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

static int group_place(struct steer_group *group, void *arg)
{
	return group->info.policy == SLUICE_STEER_CPU ? steer_placement(group, *(int *)arg) : 0;
}

static int place_all(const char *bpffs, struct err *err)
{
	struct pins pins;
	int fd, result = pins_lock(&pins, bpffs, false, err);

	if (result)
		return result;
	fd = consumers_open(bpffs);
	result = steer_groups(bpffs, group_place, &fd, err);
	if (fd >= 0)
		close(fd);
	pins_unlock(&pins);
	return result;
}

int steer_place_wait(const char *bpffs, unsigned int limit_ms, struct err *err)
{
	const struct timespec pause = { .tv_nsec = POLL_MS * 1000000L };
	struct steer_consumers_known known;
	unsigned int waited;
	int result = steer_consumers_known(bpffs, &known, err);

	for (waited = 0; !result && known.unknown && waited < limit_ms; waited += POLL_MS) {
		nanosleep(&pause, NULL);
		result = place_all(bpffs, err);
		if (!result)
			result = steer_consumers_known(bpffs, &known, err);
	}
	if (result && !err->code)
		err_set(err, EXIT_ERROR, -result, "consumers of the sockets: %s",
			strerror(-result));
	return result;
}

static int group_known(struct steer_group *group, void *arg)
{
	struct sluice_steer_consumer consumers[SLUICE_STEER_SLOTS];
	struct steer_consumers_known *known = arg;
	int slot, result;

	if (group->info.policy != SLUICE_STEER_CPU)
		return 0;
	result = steer_group_consumers(group, consumers);
	for (slot = 0; slot < SLUICE_STEER_SLOTS && !result; slot++) {
		if (group->slots[slot].state != SLUICE_STEER_ACTIVE)
			continue;
		known->pinned += consumers[slot].known == SLUICE_STEER_CPU_PINNED;
		known->seen += consumers[slot].known == SLUICE_STEER_CPU_SEEN;
		known->unknown += consumers[slot].known == SLUICE_STEER_CPU_UNKNOWN;
	}
	return result;
}

int steer_consumers_known(const char *bpffs, struct steer_consumers_known *known, struct err *err)
{
	*known = (struct steer_consumers_known){ 0 };
	return steer_groups(bpffs, group_known, known, err);
}
