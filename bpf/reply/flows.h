/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/*
 * The operations on the flow table of mode socket: find, refresh, store and read a flow.
 * sluice/flow.h explains the layout.
 */
#ifndef SLUICE_BPF_REPLY_FLOWS_H
#define SLUICE_BPF_REPLY_FLOWS_H

#include "common/settings.h"
#include "reply/maps.h"

#include <sluice/flow.h>
#include <stdbool.h>

/*
 * The key of a flow and its hash. The VRF is not part of it: peers in different VRFs with the same
 * address and port, at the same socket, are one peer.
 */
struct flow_key {
	__u64 cookie;
	struct sluice_addr peer;
	__be16 peer_port_be;
	__u64 hash;
};

static __always_inline void flow_key_hash(struct flow_key *key)
{
	key->hash = sluice_flow_hash(seed, key->cookie, &key->peer, key->peer_port_be);
}

static __always_inline struct sluice_flow_set *flow_set(const struct flow_key *key)
{
	__u32 index = sluice_flow_set_index(key->hash, sets);

	return bpf_map_lookup_elem(&sluice_flows, &index);
}

static __always_inline bool flow_is(const struct sluice_flow *flow, const struct flow_key *key)
{
	return flow->cookie == key->cookie && flow->peer_port_be == key->peer_port_be &&
	       addr_equal(&flow->peer, &key->peer);
}

/* Returns the slot of the flow, or SLUICE_FLOW_WAYS. */
static __always_inline __u32 flow_find(const struct sluice_flow_set *set,
				       const struct flow_key *key)
{
	__u16 tag = sluice_flow_tag(key->hash);
	__u32 way;

#pragma unroll
	for (way = 0; way < SLUICE_FLOW_WAYS; way++)
		if (set->tag[way] == tag && flow_is(&set->flow[way], key))
			break;
	return way;
}

/*
 * Returns a free slot, or else the least recently seen; slots of the same tick are evicted in turn.
 * The caller holds the set's lock.
 */
static __always_inline __u32 flow_oldest(struct sluice_flow_set *set, __u32 now)
{
	__u32 step, start = set->turn++, oldest = 0;
	__s64 most = -1;

#pragma unroll
	for (step = 0; step < SLUICE_FLOW_WAYS; step++) {
		__u32 way = (start + step) % SLUICE_FLOW_WAYS;
		__s64 idle = set->tag[way] ? sluice_flow_idle(now, set->seen[way]) : 1LL << 32;

		if (idle > most) {
			most = idle;
			oldest = way;
		}
	}
	return oldest;
}

/*
 * Stores only the time, without the lock; this is the common case of learning. Returns false if
 * anything else has changed. If another flow takes over the slot concurrently, the time is valid
 * for that flow as well.
 */
static __always_inline bool flow_refresh(struct sluice_flow_set *set, const struct flow_key *key,
					 const struct sluice_flow *update, __u32 now)
{
	__u32 way = flow_find(set, key);
	struct sluice_flow *flow;

	if (way >= SLUICE_FLOW_WAYS)
		return false;
	flow = &set->flow[way];
	if (!addr_equal(&flow->local, &update->local) ||
	    (flow->ifindex != update->ifindex && addr_is_link_local(&key->peer)))
		return false;
	if (set->seen[way] != now)
		set->seen[way] = now;
	return true;
}

/*
 * Returns the new flags of a flow. A link-local peer that switches interfaces may be two hosts with
 * the same address, so the flow becomes ambiguous. If the flow has expired or addresses have
 * changed, the peer has moved instead.
 */
static __always_inline __u16 flow_scope(const struct sluice_flow *flow,
					const struct sluice_flow *update, __u32 idle)
{
	if (idle > age || flow->generation != update->generation)
		return 0;
	if (flow->ifindex != update->ifindex && addr_is_link_local(&update->peer))
		return flow->flags | SLUICE_FLOW_SCOPE_AMBIGUOUS;
	return flow->flags;
}

/* Stores the flow. Returns the counter to increment. */
static __always_inline enum sluice_reply_counter flow_store(struct sluice_flow_set *set,
							    const struct flow_key *key,
							    struct sluice_flow *update, __u32 now)
{
	enum sluice_reply_counter outcome = SLUICE_REPLY_moved;
	struct sluice_flow *flow;
	__u32 way, idle;

	bpf_spin_lock(&set->lock);
	way = flow_find(set, key);
	if (way < SLUICE_FLOW_WAYS) {
		flow = &set->flow[way];
		update->flags = flow_scope(flow, update, sluice_flow_idle(now, set->seen[way]));
	} else {
		way = flow_oldest(set, now) % SLUICE_FLOW_WAYS;
		flow = &set->flow[way];
		idle = sluice_flow_idle(now, set->seen[way]);
		outcome = set->tag[way] && idle <= age ? SLUICE_REPLY_evicted
						       : SLUICE_REPLY_learned;
	}
	update->seal = sluice_flow_seal(key->hash, &update->local, update->generation,
					update->flags);
	*flow = *update;
	set->tag[way] = sluice_flow_tag(key->hash);
	set->seen[way] = now;
	bpf_spin_unlock(&set->lock);
	return outcome;
}

/* The fields of a flow that a reply needs. */
struct flow_view {
	struct sluice_addr local;
	__u64 seal;
	__u32 seen;
	__u32 generation;
	__u16 flags;
};

/*
 * Returns false if there is no such flow. Reads each field once, so that the checked value is used.
 */
static __always_inline bool flow_copy(const struct sluice_flow_set *set, const struct flow_key *key,
				      struct flow_view *view)
{
	__u32 way = flow_find(set, key);
	const volatile struct sluice_flow *flow;

	if (way >= SLUICE_FLOW_WAYS)
		return false;
	flow = &set->flow[way];
	view->local.half[0] = flow->local.half[0];
	view->local.half[1] = flow->local.half[1];
	view->seal = flow->seal;
	view->seen = set->seen[way];
	view->generation = flow->generation;
	view->flags = flow->flags;
	return true;
}

/* Copies the flow consistently. Returns false if there is no such flow. */
static __always_inline bool flow_read(struct sluice_flow_set *set, const struct flow_key *key,
				      struct flow_view *view)
{
	bool found = flow_copy(set, key, view);

	if (!found ||
	    view->seal == sluice_flow_seal(key->hash, &view->local, view->generation, view->flags))
		return found;
	bpf_spin_lock(&set->lock);
	found = flow_copy(set, key, view);
	bpf_spin_unlock(&set->lock);
	return found;
}

/* Records that the flow's address is still local at this generation. */
static __always_inline void flow_confirm(struct sluice_flow_set *set, const struct flow_key *key,
					 const struct flow_view *view, __u32 generation)
{
	__u32 way;

	bpf_spin_lock(&set->lock);
	way = flow_find(set, key);
	if (way < SLUICE_FLOW_WAYS && addr_equal(&set->flow[way].local, &view->local)) {
		struct sluice_flow *flow = &set->flow[way];

		flow->generation = generation;
		flow->seal = sluice_flow_seal(key->hash, &view->local, generation, flow->flags);
	}
	bpf_spin_unlock(&set->lock);
}

#endif
