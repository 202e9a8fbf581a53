// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/flow_table.h"

#include "base/opt.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <sluice/flow.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#define SETS_AT_ONCE 64

int flow_table_parse_size(const char *what, const char *value, __u32 *table, struct err *err)
{
	uint64_t number;
	int result = opt_number(what, value, FLOW_TABLE_MIN, FLOW_TABLE_MAX, &number, err);

	if (!result)
		*table = (__u32)number;
	return result;
}

int flow_table_parse_age(const char *what, const char *value, __u64 *age_s, struct err *err)
{
	uint64_t number;
	int result = opt_number(what, value, 1, FLOW_AGE_MAX, &number, err);

	if (!result)
		*age_s = number;
	return result;
}

__u64 flow_table_idle_ns(__u32 seen)
{
	struct timespec at;
	__u64 now_ns;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &at);
	now_ns = (__u64)at.tv_sec * 1000000000ULL + (__u64)at.tv_nsec;
	return (__u64)sluice_flow_idle(sluice_flow_clock(now_ns), seen) << SLUICE_FLOW_CLOCK_SHIFT;
}

int flow_table_walk(int fd, __u32 set_size, int (*fn)(const void *set, void *arg), void *arg)
{
	LIBBPF_OPTS(bpf_map_batch_opts, opts, .elem_flags = BPF_F_LOCK);
	char *sets = calloc(SETS_AT_ONCE, set_size);
	__u32 keys[SETS_AT_ONCE], cursor = 0, count, i;
	bool first = true, last = false;
	int result = sets ? 0 : -ENOMEM;

	while (!result && !last) {
		count = SETS_AT_ONCE;
		if (bpf_map_lookup_batch(fd, first ? NULL : &cursor, &cursor, keys, sets, &count,
					 &opts)) {
			last = errno == ENOENT;
			result = last ? 0 : -errno;
		}
		first = false;
		for (i = 0; !result && i < count; i++)
			result = fn(sets + (size_t)i * set_size, arg);
	}
	free(sets);
	return result;
}
