/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/*
 * The maps of a steered group; every group has its own.  Above each stands who writes it.
 */
#ifndef SLUICE_BPF_STEER_MAPS_H
#define SLUICE_BPF_STEER_MAPS_H

#include "common/kernel.h"

#include <bpf/bpf_helpers.h>
#include <sluice/counters.h>
#include <sluice/steer.h>

/* Settings of this load; the verifier takes them as constants. */
const volatile __u64 seed;
const volatile __u32 idle_limit; /* of sluice_flow_clock() */
const volatile __u32 sets = 1;
const volatile __u32 policy = SLUICE_STEER_FLOW;
/*
 * CLOCK_MONOTONIC.  Policy load leaves flows where the kernel had them for a while after it is
 * loaded on a server at work: none is on record yet, and those that there are must not move.
 */
const volatile __u64 settled_ns;
const volatile bool queues_readable; /* may the program read kernel memory? */

/* Written by the loader: what the program is attached to. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sluice_steer_group);
} sluice_group SEC(".maps");

/* Written by the loader; the kernel takes out a socket that is closed. Reads give cookies. */
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

/* Written by the loader: two choices, of which sluice_current names the one in force. */
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

/* Written by the loader, under policy cpu, and read by it: what sluice_cpus is made from. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SLUICE_STEER_SLOTS);
	__type(key, __u32);
	__type(value, struct sluice_steer_consumer);
} sluice_placed SEC(".maps");

/*
 * Written by the program; max_entries is set at load.  Nobody maps it: BPF_F_MMAPABLE makes the
 * values start on a page, and so each set on a cache line.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sluice_steer_set);
} sluice_table SEC(".maps");

/* Written by the program, each CPU its own; the loader clears those of a slot that it gives out. */
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

/* Written by the program, each CPU its own. */
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
