/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/*
 * The search in a set of a flow table, and the choice of the slot to replace (for the reasons for
 * sets see include/sluice/flow.h). reply/flows.h has its own, which knows the age of a flow.
 *
 * Each caller has its own slot type, so the search takes the slot size and a comparison function.
 * Everything is inlined, and compiles to the same loop as hand-written code.
 */
#ifndef SLUICE_BPF_COMMON_FLOW_SET_H
#define SLUICE_BPF_COMMON_FLOW_SET_H

#include "common/addr.h"
#include "common/clock.h"

#include <bpf/bpf_helpers.h>
#include <sluice/flow.h>
#include <stdbool.h>

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
