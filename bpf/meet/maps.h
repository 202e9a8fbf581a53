/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/*
 * The maps and settings of the rendezvous server's XDP program. The comment on each map names its
 * writers.
 */
#ifndef SLUICE_BPF_MEET_MAPS_H
#define SLUICE_BPF_MEET_MAPS_H

#include "common/kernel.h"

#include <bpf/bpf_helpers.h>
#include <sluice/meet.h>

/* A constant of this load. */
const volatile __u64 seed;

/* Written by the server. */
volatile __u64 lease_until_ns;	   /* CLOCK_MONOTONIC; until then the program may answer */
volatile __u64 budget_interval_ns; /* per answer; 0: no limit */
volatile __u64 budget_burst_ns;

/* Written by the server: its listening addresses. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SLUICE_MEET_LISTEN_MAX);
	__type(key, struct sluice_meet_listen);
	__type(value, __u32);
} sluice_m_listen SEC(".maps");

/*
 * Written by the program, without a lock: if two CPUs answer a prefix concurrently, they may count
 * one answer instead of two.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SLUICE_MEET_BUDGETS);
	__type(key, __u32);
	__type(value, __u64);
} sluice_m_budget SEC(".maps");

/* Written by the server, except seen_ns, which the program writes; max_entries is set at load. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sluice_meet_peer);
} sluice_m_peers SEC(".maps");

/* Written by the program, indexed by CPU; max_entries is set at load. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sluice_meet_counters);
} sluice_m_counters SEC(".maps");

static __always_inline void count_add(enum sluice_meet_counter counter, __u64 number)
{
	__u32 cpu = bpf_get_smp_processor_id();
	struct sluice_meet_counters *counters = bpf_map_lookup_elem(&sluice_m_counters, &cpu);

	if (counters)
		counters->value[counter] += number;
}

static __always_inline void count(enum sluice_meet_counter counter)
{
	count_add(counter, 1);
}

#endif
