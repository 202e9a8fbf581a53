/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/*
 * Searches a set of a flow table, and chooses the slot to replace. include/sluice/flow.h explains
 * the sets; reply/table.h has its own search, which evicts slots of the same tick in turn.
 *
 * Each caller has its own slot type, so the search takes the slot size and a comparison function.
 * Everything is inlined, and compiles to the same loop as hand-written code.
 */
#ifndef SLUICE_BPF_WIRE_FLOW_SET_H
#define SLUICE_BPF_WIRE_FLOW_SET_H

#include "common/addr.h"
#include "common/ticks.h"

#include <bpf/bpf_helpers.h>
#include <sluice/flow.h>
#include <stdbool.h>

/* Returns true if the slot has this key. */
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

/* Returns a < b as 0 or 1 without a branch. */
static __always_inline __u64 below(__u64 a, __u64 b)
{
	__u64 difference = a - b;

	asm volatile("" : "+r"(difference));
	return difference >> 63;
}

/*
 * Returns `way` unchanged, but hides its value from the verifier, as packet_forget() does: kernel
 * 5.10 would follow each value separately to the end of the program.
 */
static __always_inline __u32 way_forget(__u32 way, __u32 unknown)
{
	way ^= unknown;
	asm volatile("" : "+r"(way));
	way ^= unknown;
	asm volatile("" : "+r"(way));
	return way % SLUICE_FLOW_WAYS;
}

/*
 * Returns a free slot, or else the least recently seen one. Compares ranks, since more branches per
 * slot would double the verifier's paths. The caller holds the set's lock.
 */
static __always_inline __u32 set_oldest(const __u16 *tags, const __u32 *seen, __u32 now)
{
	__u64 best = 0;
	__u32 way;

#pragma unroll
	for (way = 0; way < SLUICE_FLOW_WAYS; way++) {
		__u32 idle = now - seen[way] + SLUICE_FLOW_CLOCK_SKEW;
		__u64 rank = (below(tags[way], 1) << 32 | idle) << 3 | way;

		if (rank > best)
			best = rank;
	}
	return way_forget(best, now);
}

#endif
