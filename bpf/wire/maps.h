/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/*
 * The maps of mode wire, each with its writers. The names fit the kernel's limit of 15 characters.
 */
#ifndef SLUICE_BPF_WIRE_MAPS_H
#define SLUICE_BPF_WIRE_MAPS_H

#include <bpf/bpf_helpers.h>
#include <linux/bpf.h>
#include <sluice/wire.h>

/* Written by the loader: the record of the load. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sluice_wire_meta);
} sluice_w_meta SEC(".maps");

/* Written by the loader; keyed by ifindex. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct sluice_wire_iface);
} sluice_w_ifaces SEC(".maps");

/* Written by the loader: the addresses of the server behind this gateway. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__type(key, struct sluice_addr);
	__type(value, __u32);
} sluice_w_server SEC(".maps");

/*
 * Written by sluice_wire_in and sluice_wire_out; max_entries is set at load. BPF_F_MMAPABLE is set
 * only for alignment: the values start on a page, so each slot takes two cache lines, not three.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sluice_wire_set);
} sluice_w_flows SEC(".maps");

/* Written by sluice_wire_in and sluice_wire_out. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SLUICE_FRAGMENT_SETS);
	__type(key, __u32);
	__type(value, struct sluice_fragment_set);
} sluice_w_frags SEC(".maps");

/* Written by sluice_wire_in and sluice_wire_out, per CPU. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SLUICE_LOCAL_SLOTS);
	__type(key, __u32);
	__type(value, struct sluice_local);
} sluice_w_local SEC(".maps");

/* Written by sluice_wire_in, per CPU. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SLUICE_BRIDGE_SLOTS);
	__type(key, __u32);
	__type(value, struct sluice_bridge);
} sluice_w_bridge SEC(".maps");

/* Written by sluice_wire_in and sluice_wire_out, per CPU. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sluice_wire_counters);
} sluice_w_counts SEC(".maps");

static __always_inline void count(enum sluice_wire_counter counter)
{
	__u32 zero = 0;
	struct sluice_wire_counters *counters = bpf_map_lookup_elem(&sluice_w_counts, &zero);

	if (counters)
		counters->value[counter]++;
}

#endif
