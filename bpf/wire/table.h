/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/*
 * The table of records: its keys, and the slots of its sets (include/sluice/wire.h). Half-open and
 * proven records share the sets, and compete for slots only among themselves.
 *
 * Rejected: BPF_MAP_TYPE_LRU_HASH (see include/sluice/flow.h); and separate tables for half-open
 * and proven records, since each packet would need two lookups, and a record that moves between the
 * tables could be in both or in neither.
 */
#ifndef SLUICE_BPF_WIRE_TABLE_H
#define SLUICE_BPF_WIRE_TABLE_H

#include "common/settings.h"
#include "wire/flow_set.h"
#include "wire/maps.h"
#include "wire/packet.h"

struct wire_key {
	struct sluice_addr peer;
	__be16 peer_port_be;
	__be16 port_be;
	__u32 scope;
	__u64 hash;
};

static __always_inline struct sluice_wire_set *record_set(struct wire_key *key)
{
	__u32 index;

	key->hash = sluice_wire_hash(seed, &key->peer, key->peer_port_be, key->port_be, key->scope);
	index = sluice_flow_set_index(key->hash, sets);
	return bpf_map_lookup_elem(&sluice_w_flows, &index);
}

static __always_inline __u32 scope_of(const struct __sk_buff *skb, bool gateway)
{
	return skb->ifindex | (gateway ? SLUICE_WIRE_SCOPE_GATEWAY : 0);
}

static __always_inline struct sluice_wire_set *request_set(const struct __sk_buff *skb,
							   const struct ends *ends, bool gateway,
							   struct wire_key *key)
{
	key->peer = ends->source;
	key->peer_port_be = ends->source_port_be;
	key->port_be = ends->target_port_be;
	key->scope = scope_of(skb, gateway);
	return record_set(key);
}

static __always_inline struct sluice_wire_set *reply_set(const struct __sk_buff *skb,
							 const struct ends *ends, bool gateway,
							 struct wire_key *key)
{
	key->peer = ends->target;
	key->peer_port_be = ends->target_port_be;
	key->port_be = ends->source_port_be;
	key->scope = scope_of(skb, gateway);
	return record_set(key);
}

static __always_inline bool addr_is_set(const struct sluice_addr *addr)
{
	return addr->half[0] | addr->half[1];
}

/* --- slots */

static __always_inline bool record_is(const void *slot, const void *named)
{
	const struct sluice_wire_flow *flow = slot;
	const struct wire_key *key = named;

	/* a single branch, hardly ever taken, since the tag has matched */
	return likely(!((flow->peer_port_be ^ key->peer_port_be) | (flow->port_be ^ key->port_be) |
			(flow->scope ^ key->scope) | (flow->peer.half[0] ^ key->peer.half[0]) |
			(flow->peer.half[1] ^ key->peer.half[1])));
}

/* Returns the slot of the record, live or expired, or SLUICE_FLOW_WAYS. */
static __always_inline __u32 record_find(const struct sluice_wire_set *set,
					 const struct wire_key *key)
{
	return set_find(set->tag, sluice_flow_tag(key->hash), set->flow, sizeof(*set->flow),
			record_is, key);
}

/*
 * Returns sluice_flow_idle() of a slot, plus SLUICE_FLOW_CLOCK_SKEW. Does not branch: the verifier
 * would follow two paths for each of eight slots.
 */
static __always_inline __u32 slot_idle(const struct sluice_wire_set *set, __u32 way, __u32 now)
{
	return now - set->seen[way] + SLUICE_FLOW_CLOCK_SKEW;
}

static __always_inline __u64 slot_is_live(const struct sluice_wire_set *set, __u32 way, __u32 now)
{
	return below(0, set->tag[way]) &
	       below(slot_idle(set, way, now), 1ULL + age + SLUICE_FLOW_CLOCK_SKEW);
}

static __always_inline bool slot_live(const struct sluice_wire_set *set, __u32 way, __u32 now)
{
	return way < SLUICE_FLOW_WAYS && slot_is_live(set, way, now);
}

/* Returns the number of bits that are set in the low SLUICE_FLOW_WAYS. */
static __always_inline __u32 ways_count(__u32 ways)
{
	ways = (ways & 0x55) + (ways >> 1 & 0x55);
	ways = (ways & 0x33) + (ways >> 2 & 0x33);
	return (ways & 0x0f) + (ways >> 4 & 0x0f);
}

/*
 * Returns one of the slots in @among: a free or expired slot, or else the least recently seen slot
 * of @class. Half of that class is the quota of an interface: beyond it, the interface evicts its
 * own records. The caller holds the lock.
 */
static __always_inline __u32 slot_choose(const struct sluice_wire_set *set, __u32 among,
					 __u32 class, __u32 scope, __u32 now)
{
	__u64 live = 0, own = 0, best = 0;
	__u32 way;

#pragma unroll
	for (way = 0; way < SLUICE_FLOW_WAYS; way++) {
		live |= slot_is_live(set, way, now) << way;
		own |= below((__u8)(set->owner[way] ^ scope), 1) << way;
	}
	class &= live;
	own &= class;
	if (2 * ways_count(own) >= ways_count(class))
		class = own;
	among &= ~live | class;
#pragma unroll
	for (way = 0; way < SLUICE_FLOW_WAYS; way++) {
		__u64 idle = (~live >> way & 1) << 32 | slot_idle(set, way, now);
		__u64 rank = (idle << 3 | 1ULL << 40 | way) * (among >> way & 1);

		if (rank > best)
			best = rank;
	}
	return way_forget(best, now);
}

#endif
