/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/* The maps of the object reply, each with its writers. */
#ifndef SLUICE_BPF_REPLY_MAPS_H
#define SLUICE_BPF_REPLY_MAPS_H

#include "common/kernel.h"

#include <bpf/bpf_helpers.h>
#include <sluice/counters.h>
#include <sluice/reply.h>

/* Written by the loader: the record of the load. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sluice_reply_meta);
} sluice_meta SEC(".maps");

/*
 * Written by sluice_learn, and by sluice_fix4 and sluice_fix6 to confirm an address; max_entries is
 * set at load. BPF_F_MMAPABLE is set only for alignment: the values start on a page, so each set
 * and slot starts on a cache line.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sluice_flow_set);
} sluice_flows SEC(".maps");

/* Written by all programs: the results of local_addr_usable(). */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct sluice_local_key);
	__type(value, struct sluice_local_usable);
} sluice_locals SEC(".maps");

/* Written by sluice_learn; a socket without storage is not managed, or has received nothing yet. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct sluice_sock);
} sluice_socks SEC(".maps");

/* Written by all programs, per CPU. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sluice_reply_counters);
} sluice_counters SEC(".maps");

/* Written by sluice_connect4 and sluice_connect6: the peer that the socket has connected to. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct sluice_connect);
} sluice_connects SEC(".maps");

/* Written by sluice_audit, sluice_connect4 and sluice_connect6; keyed by socket cookie. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, struct sluice_audit);
} sluice_audits SEC(".maps");

static __always_inline void count(enum sluice_reply_counter counter)
{
	__u32 zero = 0;
	struct sluice_reply_counters *counters = bpf_map_lookup_elem(&sluice_counters, &zero);

	if (counters)
		counters->value[counter]++;
}

#endif
