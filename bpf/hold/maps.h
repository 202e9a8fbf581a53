/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/* The maps of the object hold. The comment on each map names its writers. */
#ifndef SLUICE_BPF_HOLD_MAPS_H
#define SLUICE_BPF_HOLD_MAPS_H

#include "common/kernel.h"

#include <bpf/bpf_helpers.h>
#include <sluice/hold.h>

/* Written by the loader: the record of the load. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sluice_hold_meta);
} sluice_meta SEC(".maps");

/* Written by the programs. Slot 0 is a struct sluice_hold_alloc; max_entries is set at load. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct sluice_hold_flow);
} sluice_flows SEC(".maps");

/* Spin locks: lock_of() maps each slot, and the allocator, to a lock. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SLUICE_HOLD_LOCKS);
	__type(key, __u32);
	__type(value, struct sluice_hold_lock);
} sluice_locks SEC(".maps");

/* Written by sluice_hold_out: the slot of each flow. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 2);
	__type(key, struct sluice_hold_key);
	__type(value, __u32);
} sluice_index SEC(".maps");

/* Written by sluice_hold_out and sluice_closed: the open sockets by cookie. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 2);
	__type(key, __u64);
	__type(value, struct sluice_hold_socket);
} sluice_socks SEC(".maps");

/*
 * A cache per socket, so that a datagram of the socket's last flow needs no lookup in sluice_index.
 * The slot may since have been assigned to another flow, with another key or cookie.
 */
struct hold_sock {
	__u64 cookie;
	__u32 netns;	/* inode number */
	__u32 slot;	/* slot of the socket's last flow */
	__be16 port_be; /* port as in sluice_socks */
	__u16 reserved[3];
};

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct hold_sock);
} sluice_sk SEC(".maps");

/* Written by sluice_hold_out and sluice_closed. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, SLUICE_HOLD_CLOSES);
	__type(key, __u32);
	__type(value, __u64);
} sluice_closes SEC(".maps");

/* Written by sluice_hold_out and sluice_closed, keyed by inode number. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct sluice_hold_netns);
} sluice_netns SEC(".maps");

/* Written by the daemon: a slot for each slot of sluice_flows. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct sluice_hold_kept);
} sluice_kept SEC(".maps");

/* Written by the daemon. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sluice_hold_status);
} sluice_status SEC(".maps");

/* Written by all programs, per CPU. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sluice_hold_counters);
} sluice_counters SEC(".maps");

static __always_inline void count(enum sluice_hold_counter counter)
{
	__u32 zero = 0;
	struct sluice_hold_counters *counters = bpf_map_lookup_elem(&sluice_counters, &zero);

	if (counters)
		counters->value[counter]++;
}

#endif
