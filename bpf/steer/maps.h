/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/* The maps of a steered group. The comment on each map names its writer. */
#ifndef SLUICE_BPF_STEER_MAPS_H
#define SLUICE_BPF_STEER_MAPS_H

#include "common/kernel.h"

#include <bpf/bpf_helpers.h>
#include <sluice/counters.h>
#include <sluice/steer.h>

/* Constants of this load, known to the verifier. */
const volatile struct sluice_steer_keys keys;
const volatile __u32 idle_limit; /* in ticks of sluice_flow_clock() */
const volatile __u32 sets = 1;
const volatile __u32 policy = SLUICE_STEER_FLOW;
/*
 * CLOCK_MONOTONIC. Until this time, policy load leaves unknown flows with the kernel's choice: they
 * may be older than the program, and must not move.
 */
const volatile __u64 settled_ns;
const volatile bool queues_readable; /* true if the program may read kernel memory */

/* Written by the loader: the group to which the program is attached. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sluice_steer_group);
} sluice_group SEC(".maps");

/* Written by the loader; the kernel removes closed sockets. Lookups return cookies. */
struct {
	__uint(type, BPF_MAP_TYPE_REUSEPORT_SOCKARRAY);
	__uint(max_entries, SLUICE_STEER_SLOTS);
	__type(key, __u32);
	__type(value, __u64);
} sluice_sockets SEC(".maps");

/* Written by the loader. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SLUICE_STEER_SLOTS);
	__type(key, __u32);
	__type(value, struct sluice_steer_slot);
} sluice_slots SEC(".maps");

/* Written by the loader: two choices, of which sluice_current selects one. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct sluice_steer_choice);
} sluice_choices SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} sluice_current SEC(".maps");

/* Written by the loader, under policy cpu. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SLUICE_STEER_CPUS);
	__type(key, __u32);
	__type(value, struct sluice_steer_cpu);
} sluice_cpus SEC(".maps");

/* Written and read by the loader, under policy cpu: the source of sluice_cpus. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SLUICE_STEER_SLOTS);
	__type(key, __u32);
	__type(value, struct sluice_steer_consumer);
} sluice_placed SEC(".maps");

/*
 * Written by the program; max_entries is set at load. BPF_F_MMAPABLE lets user space count the
 * flows, and aligns the values to a page, so that each set is aligned to cache lines.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sluice_steer_set);
} sluice_table SEC(".maps");

/* Written by the program, per CPU. The loader clears the entry when it assigns the slot. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SLUICE_STEER_SLOTS);
	__type(key, __u32);
	__type(value, struct sluice_steer_stats);
} sluice_stats SEC(".maps");

/* Written by the program, under policy load. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SLUICE_STEER_SLOTS);
	__type(key, __u32);
	__type(value, struct sluice_steer_recent);
} sluice_recent SEC(".maps");

/* Written by the program, per CPU. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sluice_steer_counters);
} sluice_counters SEC(".maps");

static __always_inline void count(enum sluice_steer_counter counter)
{
	__u32 zero = 0;
	struct sluice_steer_counters *counters = bpf_map_lookup_elem(&sluice_counters, &zero);

	if (counters)
		counters->value[counter]++;
}

#endif
