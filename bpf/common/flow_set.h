/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/*
 * Shared by the programs of all objects with a flow table: the clock, addresses, and the search in
 * a set (for the reasons for sets see include/sluice/flow.h).
 *
 * Each caller has its own slot type, so the search takes the slot size and a comparison function.
 * Everything is inlined, and compiles to the same loop as hand-written code.
 */
#ifndef SLUICE_BPF_COMMON_FLOW_SET_H
#define SLUICE_BPF_COMMON_FLOW_SET_H

#include "common/kernel.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <linux/in6.h>
#include <sluice/flow.h>
#include <stdbool.h>

/* The coarse clock has the resolution of a tick, at a fraction of the cost (kernel 5.11). */
static __always_inline __u64 clock_ns(void)
{
	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_ktime_get_coarse_ns))
		return bpf_ktime_get_coarse_ns();
	return bpf_ktime_get_ns();
}

static __always_inline __u32 clock(void)
{
	return sluice_flow_clock(clock_ns());
}

static __always_inline bool addr_equal(const struct sluice_addr *a, const struct sluice_addr *b)
{
	return a->half[0] == b->half[0] && a->half[1] == b->half[1];
}

/* Stores two halves, as comparisons load them: a load that spans two stores would stall. */
static __always_inline void addr_map_ip4(struct sluice_addr *addr, __be32 ip4_be)
{
	addr->half[0] = 0;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	addr->half[1] = (__u64)ip4_be << 32 | bpf_htonl(0xffff);
#else
	addr->half[1] = (__u64)bpf_htonl(0xffff) << 32 | ip4_be;
#endif
}

static __always_inline bool addr_is_ip4(const struct sluice_addr *addr)
{
	return !addr->half[0] && addr->word_be[2] == bpf_htonl(0xffff);
}

static __always_inline bool addr_is_link_local(const struct sluice_addr *addr)
{
	return (addr->word_be[0] & bpf_htonl(0xffc00000)) == bpf_htonl(0xfe800000);
}

static __always_inline struct sluice_addr addr_of(const struct in6_addr *from)
{
	struct sluice_addr addr;

	__builtin_memcpy(&addr, from, sizeof(addr));
	return addr;
}

/* Does the slot have this key? */
typedef bool (*slot_is_fn)(const void *slot, const void *key);

/* Returns the slot with the tag and key, or SLUICE_FLOW_WAYS. */
static __always_inline __u32 set_find(const __u16 *tags, __u16 tag, const void *slots, __u32 size,
				      slot_is_fn is, const void *key)
{
	__u32 way;

#pragma unroll
	for (way = 0; way < SLUICE_FLOW_WAYS; way++)
		if (tags[way] == tag && is(slots + way * size, key))
			break;
	return way;
}

/* Returns a free slot, or else the least recently seen. The caller holds the set's lock. */
static __always_inline __u32 set_oldest(const __u16 *tags, const __u32 *seen, __u32 now)
{
	__u32 way, oldest = 0;
	__u64 most = 0;

#pragma unroll
	for (way = 0; way < SLUICE_FLOW_WAYS; way++) {
		__u64 idle = tags[way] ? sluice_flow_idle(now, seen[way]) : 1ULL << 32;

		if (idle > most) {
			most = idle;
			oldest = way;
		}
	}
	return oldest % SLUICE_FLOW_WAYS;
}

#endif
