// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/flow_table.h"

#include "base/clock.h"
#include "kernel/ticks.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <sluice/flow.h>
#include <stdbool.h>
#include <stdlib.h>

#define SETS_AT_ONCE 64
/* The number of sets that flow_table_live() visits. */
#define SETS_LIVE 4096

__u64 flow_table_bytes(__u32 flows, __u32 ways, __u32 set_size)
{
	return ((__u64)flows + ways - 1) / ways * set_size;
}

int flow_table_clock_read(struct flow_table_clock *clock)
{
	clock->read_ns = clock_now_ns(CLOCK_MONOTONIC_COARSE);
	return ticks_clock(&clock->now);
}

__u64 flow_table_idle_ns(const struct flow_table_clock *clock, __u32 seen)
{
	__u64 passed_ns = clock_now_ns(CLOCK_MONOTONIC_COARSE) - clock->read_ns;

	return (__u64)sluice_flow_idle(clock->now + sluice_flow_clock(passed_ns), seen)
	       << SLUICE_FLOW_CLOCK_SHIFT;
}

/* Walks as flow_table_walk(), but only the first @most sets. Sets *visited to their number. */
static int walk(int fd, __u32 set_size, __u64 flags, __u32 most, __u32 *visited,
		int (*fn)(const void *set, void *arg), void *arg)
{
	LIBBPF_OPTS(bpf_map_batch_opts, opts, .elem_flags = flags);
	char *sets = calloc(SETS_AT_ONCE, set_size);
	__u32 keys[SETS_AT_ONCE], cursor, i, some;
	int result = sets ? 0 : -ENOMEM;
	bool last = false;

	*visited = 0;
	while (!result && !last && *visited < most) {
		some = most - *visited < SETS_AT_ONCE ? most - *visited : SETS_AT_ONCE;
		if (bpf_map_lookup_batch(fd, *visited ? &cursor : NULL, &cursor, keys, sets, &some,
					 &opts)) {
			last = errno == ENOENT;
			result = last ? 0 : -errno;
		}
		for (i = 0; !result && i < some; i++)
			result = fn(sets + (size_t)i * set_size, arg);
		*visited += i;
	}
	free(sets);
	return result;
}

int flow_table_walk(int fd, __u32 set_size, __u64 flags, int (*fn)(const void *set, void *arg),
		    void *arg)
{
	__u32 visited;

	return walk(fd, set_size, flags, ~0U, &visited, fn, arg);
}

__u64 flow_table_estimate(__u64 found, __u32 visited, __u32 sets)
{
	return visited ? found * sets / visited : 0;
}

struct live_count {
	const struct flow_table_layout *layout;
	struct flow_table_clock clock;
	__u64 age_ns;
	__u64 found;
};

static int live_add(const void *copy, void *arg)
{
	struct live_count *count = arg;
	const __u16 *tag = (const void *)((const char *)copy + count->layout->tag);
	const __u32 *seen = (const void *)((const char *)copy + count->layout->seen);
	int way;

	for (way = 0; way < SLUICE_FLOW_WAYS; way++)
		count->found += tag[way] &&
				flow_table_idle_ns(&count->clock, seen[way]) <= count->age_ns;
	return 0;
}

int flow_table_live(int fd, const struct flow_table_layout *layout, __u32 sets, __u64 age_ns,
		    __u64 *live)
{
	struct live_count count = { .layout = layout, .age_ns = age_ns };
	int result = flow_table_clock_read(&count.clock);
	__u32 visited;

	if (!result)
		result = walk(fd, layout->set_size, BPF_F_LOCK, SETS_LIVE, &visited, live_add,
			      &count);
	if (!result)
		*live = flow_table_estimate(count.found, visited, sets);
	return result;
}
