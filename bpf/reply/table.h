/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/*
 * Finds, refreshes, stores and reads flows in the flow table of mode socket. sluice/flow.h explains
 * the layout.
 */
#ifndef SLUICE_BPF_REPLY_TABLE_H
#define SLUICE_BPF_REPLY_TABLE_H

#include "common/addr.h"
#include "common/settings.h"
#include "reply/maps.h"

#include <sluice/flow.h>
#include <stdbool.h>

const volatile bool any_peer_port; /* also record a flow for any port of the peer */

/*
 * The key of a flow and its hash. The VRF is not part of the key: peers in different VRFs with the
 * same address and port count as one peer of a socket.
 */
struct flow_key {
	__u64 cookie;
	struct sluice_addr peer;
	__be16 peer_port_be;
	__u16 port;
	__u32 netns;
	__u32 scope; /* the interface of a link-local peer, whose address is unique only there */
	__u64 hash;
};

static __always_inline void flow_key_hash(struct flow_key *key)
{
	key->hash = sluice_flow_hash(seed, key->netns, key->port, &key->peer, key->peer_port_be,
				     key->scope);
}

static __always_inline struct sluice_flow_set *flow_set(const struct flow_key *key)
{
	__u32 index = sluice_flow_set_index(key->hash, sets);

	return bpf_map_lookup_elem(&sluice_flows, &index);
}

static __always_inline bool flow_is_of_peer(const struct sluice_flow *flow,
					    const struct flow_key *key)
{
	return flow->peer_port_be == key->peer_port_be && addr_equal(&flow->peer, &key->peer) &&
	       (!key->scope || flow->ifindex == key->scope);
}

static __always_inline bool flow_is(const struct sluice_flow *flow, const struct flow_key *key)
{
	return flow->cookie == key->cookie && flow_is_of_peer(flow, key);
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
 * Returns a free slot, or else the least recently seen one; slots seen in the same tick are evicted
 * in turn. The caller holds the set's lock.
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
 * Stores only the time, without the lock, which is the common case of learning. Returns false if
 * anything else has changed. If another flow takes over the slot concurrently, the time is correct
 * for that flow as well.
 */
static __always_inline bool flow_refresh(struct sluice_flow_set *set, const struct flow_key *key,
					 const struct sluice_addr *local, __u32 now)
{
	__u32 way = flow_find(set, key);

	if (way >= SLUICE_FLOW_WAYS || !addr_equal(&set->flow[way].local, local))
		return false;
	if (set->seen[way] != now)
		set->seen[way] = now;
	return true;
}

/* Stores the flow. Returns the counter to increment. */
static __always_inline enum sluice_reply_counter flow_store(struct sluice_flow_set *set,
							    const struct flow_key *key,
							    struct sluice_flow *update, __u32 now)
{
	enum sluice_reply_counter outcome = SLUICE_REPLY_learned;
	__u32 way;
	bool known, live;

	update->seal = sluice_flow_seal(key->hash, key->cookie, &update->local, update->generation);
	bpf_spin_lock(&set->lock);
	way = flow_find(set, key);
	known = way < SLUICE_FLOW_WAYS;
	if (!known)
		way = flow_oldest(set, now) % SLUICE_FLOW_WAYS;
	live = set->tag[way] && sluice_flow_idle(now, set->seen[way]) <= age;
	if (live)
		outcome = known ? SLUICE_REPLY_moved : SLUICE_REPLY_evicted;
	set->flow[way] = *update;
	set->tag[way] = sluice_flow_tag(key->hash);
	set->seen[way] = now;
	bpf_spin_unlock(&set->lock);
	return outcome;
}

/* Deletes the flow. Returns true if there was one. */
static __always_inline bool flow_end(struct sluice_flow_set *set, const struct flow_key *key)
{
	bool found;
	__u32 way;

	if (flow_find(set, key) >= SLUICE_FLOW_WAYS)
		return false;
	bpf_spin_lock(&set->lock);
	way = flow_find(set, key);
	found = way < SLUICE_FLOW_WAYS;
	if (found)
		set->tag[way] = 0;
	bpf_spin_unlock(&set->lock);
	return found;
}

/* The fields of a flow that a reply needs. */
struct flow_view {
	struct sluice_addr local;
	__u64 seal;
	__u32 seen;
	__u32 generation;
};

/*
 * Copies the flow, and reads each field once, so that the caller uses the values that it has
 * checked. Returns false if there is no such flow.
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
	return true;
}

/* Copies a consistent state of the flow. Returns false if there is no such flow. */
static __always_inline bool flow_read(struct sluice_flow_set *set, const struct flow_key *key,
				      struct flow_view *view)
{
	bool found = flow_copy(set, key, view);

	if (!found ||
	    view->seal == sluice_flow_seal(key->hash, key->cookie, &view->local, view->generation))
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
		flow->seal = sluice_flow_seal(key->hash, key->cookie, &view->local, generation);
	}
	bpf_spin_unlock(&set->lock);
}

/*
 * Finds the peer's latest flow at another socket with the same port, and its requested address.
 * Returns the socket's cookie, or 0.
 */
static __always_inline __u64 flow_of_sibling(struct sluice_flow_set *set,
					     const struct flow_key *key, __u32 now,
					     struct sluice_addr *local)
{
	__u16 tag = sluice_flow_tag(key->hash);
	__u32 way, youngest = age + 1;
	__u64 cookie = 0;

	bpf_spin_lock(&set->lock);
#pragma unroll
	for (way = 0; way < SLUICE_FLOW_WAYS; way++) {
		const struct sluice_flow *flow = &set->flow[way];
		__u32 idle = sluice_flow_idle(now, set->seen[way]);

		if (set->tag[way] != tag || flow->netns != key->netns || flow->port != key->port ||
		    !flow_is_of_peer(flow, key) || idle >= youngest)
			continue;
		youngest = idle;
		cookie = flow->cookie;
		*local = flow->local;
	}
	bpf_spin_unlock(&set->lock);
	return cookie;
}

#endif
