/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/* The maps of the spread programs.  The comment on each map names its writer. */
#ifndef SLUICE_BPF_STEER_SPREAD_MAPS_H
#define SLUICE_BPF_STEER_SPREAD_MAPS_H

#include <bpf/bpf_helpers.h>
#include <linux/bpf.h>
#include <sluice/spread.h>

/* Written by the loader: the record of the load. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sluice_spread_meta);
} sluice_x_meta SEC(".maps");

/* Written by the loader: the length of each CPU's queue; max_entries is set at load. */
struct {
	__uint(type, BPF_MAP_TYPE_CPUMAP);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} sluice_x_cpus SEC(".maps");

/* Written by the programs, per CPU: datagrams sent to each CPU of the list. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SLUICE_SPREAD_CPUS);
	__type(key, __u32);
	__type(value, __u64);
} sluice_x_sent SEC(".maps");

/* Written by the programs, per CPU. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sluice_spread_counters);
} sluice_x_counts SEC(".maps");

static __always_inline void count_add(enum sluice_spread_counter counter, __u64 number)
{
	__u32 zero = 0;
	struct sluice_spread_counters *counters = bpf_map_lookup_elem(&sluice_x_counts, &zero);

	if (counters)
		counters->value[counter] += number;
}

#endif
