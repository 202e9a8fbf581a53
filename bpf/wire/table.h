/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/*
 * The tables of the wire programs: flows, which both directions share, and fragments, which have no
 * ports and follow the first one of their datagram. include/sluice/flow.h explains the sets.
 */
#ifndef SLUICE_BPF_WIRE_TABLE_H
#define SLUICE_BPF_WIRE_TABLE_H

#include "common/settings.h"
#include "wire/maps.h"
#include "wire/packet.h"

/* --- the flow table */

struct wire_key {
	struct sluice_addr client;
	__be16 client_port_be;
	__be16 server_port_be;
	__u32 scope;
	__u64 hash;
};

struct wire_view {
	struct sluice_addr requested;
	struct sluice_addr server;
	__u32 seen;
	__u32 checked;
	__u32 seal;
	__u32 flags; /* enum sluice_wire_flag */
	__u32 unanswered;
	__u32 way;
};

static __always_inline __u32 scope_of(const struct __sk_buff *skb, bool gateway)
{
	__u32 ifindex = skb->ifindex & ~(SLUICE_WIRE_SCOPE_GATEWAY | SLUICE_WIRE_FLAGS);

	if (gateway)
		return ifindex | SLUICE_WIRE_SCOPE_GATEWAY;
	return role & SLUICE_WIRE_PORT ? ifindex : 0;
}

static __always_inline struct sluice_wire_set *wire_set(struct wire_key *key)
{
	__u32 index;

	key->hash = sluice_wire_hash(seed, &key->client, key->client_port_be, key->server_port_be,
				     key->scope);
	index = sluice_flow_set_index(key->hash, sets);
	return bpf_map_lookup_elem(&sluice_w_flows, &index);
}

static __always_inline bool wire_is(const void *slot, const void *named)
{
	const struct sluice_wire_flow *flow = slot;
	const struct wire_key *key = named;

	/* a single branch, hardly ever taken: the tag has matched */
	return likely(!((flow->client_port_be ^ key->client_port_be) |
			(flow->server_port_be ^ key->server_port_be) |
			((flow->scope & ~SLUICE_WIRE_FLAGS) ^ key->scope) |
			(flow->client.half[0] ^ key->client.half[0]) |
			(flow->client.half[1] ^ key->client.half[1])));
}

static __always_inline __u32 wire_find(const struct sluice_wire_set *set,
				       const struct wire_key *key)
{
	return set_find(set->tag, sluice_flow_tag(key->hash), set->flow, sizeof(*set->flow),
			wire_is, key);
}

/*
 * Returns `way` unchanged, but hides its value from the verifier, as packet_forget() does: that of
 * 5.10 would follow each value separately to the program's end.
 */
static __always_inline __u32 way_forget(__u32 way, __u32 unknown)
{
	way ^= unknown;
	asm volatile("" : "+r"(way));
	way ^= unknown;
	asm volatile("" : "+r"(way));
	return way;
}

/* Copies a flow; returns false if there is none. Each field is read once: checked as used. */
static __always_inline bool wire_copy(const struct sluice_wire_set *set, const struct wire_key *key,
				      struct wire_view *view)
{
	__u32 way = wire_find(set, key);
	const volatile struct sluice_wire_flow *flow;

	if (way >= SLUICE_FLOW_WAYS)
		return false;
	flow = &set->flow[way];
	view->requested.half[0] = flow->requested.half[0];
	view->requested.half[1] = flow->requested.half[1];
	view->server.half[0] = flow->server.half[0];
	view->server.half[1] = flow->server.half[1];
	view->flags = flow->scope & SLUICE_WIRE_FLAGS;
	view->checked = flow->checked;
	view->seal = flow->seal;
	view->seen = set->seen[way];
	view->unanswered = set->unanswered[way];
	view->way = way_forget(way, view->seal);
	return true;
}

static __always_inline bool wire_sealed(const struct wire_key *key, const struct wire_view *view)
{
	return view->seal ==
	       sluice_wire_seal(key->hash, &view->requested, &view->server, view->flags);
}

static __noinline bool wire_read_locked(struct sluice_wire_set *set, const struct wire_key *key,
					struct wire_view *view)
{
	bool found;

	bpf_spin_lock(&set->lock);
	found = wire_copy(set, key, view);
	bpf_spin_unlock(&set->lock);
	return found;
}

/* Copies a flow, locked only if it is changing (include/sluice/flow.h). */
static __always_inline bool wire_read(struct sluice_wire_set *set, const struct wire_key *key,
				      struct wire_view *view)
{
	if (!wire_copy(set, key, view))
		return false;
	return likely(wire_sealed(key, view)) || wire_read_locked(set, key, view);
}

/*
 * Records a request. If another flow has taken the slot meanwhile, it was seen just now as well.
 * Writes once a clock tick at most: a written cache line moves from CPU to CPU.
 */
static __always_inline void wire_request_seen(struct sluice_wire_set *set,
					      const struct wire_view *view, __u32 now)
{
	__u32 way = view->way % SLUICE_FLOW_WAYS;

	if (view->seen == now)
		return;
	set->seen[way] = now;
	set->unanswered[way] = 1;
}

/* Records a datagram toward the client. */
static __always_inline void wire_reply_seen(struct sluice_wire_set *set,
					    const struct wire_view *view, __u32 now)
{
	__u32 way = view->way % SLUICE_FLOW_WAYS;

	if (view->seen != now)
		set->seen[way] = now;
	if (view->unanswered)
		set->unanswered[way] = 0;
}

/* Records that the server has just answered. */
static __always_inline void wire_confirm(struct sluice_wire_set *set, const struct wire_view *view,
					 __u32 now)
{
	if (view->checked != now)
		set->flow[view->way % SLUICE_FLOW_WAYS].checked = now;
}

/* Returns the counter for a change of a slot, or -1 if nothing has changed. */
static __always_inline int wire_outcome(const struct sluice_wire_flow *flow,
					const struct wire_view *view, bool known, bool live)
{
	if (view->flags & SLUICE_WIRE_HOST_FIRST)
		return SLUICE_WIRE_host_first;
	if (!known)
		return live ? SLUICE_WIRE_evicted : SLUICE_WIRE_learned;
	if (addr_equal(&flow->requested, &view->requested) &&
	    (addr_equal(&flow->server, &view->server) || flow->scope & SLUICE_WIRE_OWED))
		return -1;
	return SLUICE_WIRE_moved;
}

/*
 * Stores addresses, flags and `unanswered` of *view. A flow of SLUICE_WIRE_HOST_FIRST does not
 * evict a live one: no client has requested it, so it must not cost the clients that did.
 */
static __noinline void wire_store(struct sluice_wire_set *set, const struct wire_key *key,
				  const struct wire_view *view, __u32 now)
{
	__u32 seal = sluice_wire_seal(key->hash, &view->requested, &view->server, view->flags);
	struct sluice_wire_flow *flow;
	bool known, live;
	int outcome = -1;
	__u32 way;

	bpf_spin_lock(&set->lock);
	way = wire_find(set, key);
	known = way < SLUICE_FLOW_WAYS;
	if (!known)
		way = set_oldest(set->tag, set->seen, now);
	way = way_forget(way, now) % SLUICE_FLOW_WAYS;
	live = set->tag[way] && sluice_flow_idle(now, set->seen[way]) <= age;
	if (!live || !(view->flags & SLUICE_WIRE_HOST_FIRST)) {
		flow = &set->flow[way];
		outcome = wire_outcome(flow, view, known, live);
		flow->client = key->client;
		flow->requested = view->requested;
		flow->server = view->server;
		flow->client_port_be = key->client_port_be;
		flow->server_port_be = key->server_port_be;
		flow->scope = key->scope | view->flags;
		flow->checked = now;
		flow->seal = seal;
		set->tag[way] = sluice_flow_tag(key->hash);
		set->seen[way] = now;
		set->unanswered[way] = view->unanswered;
	}
	bpf_spin_unlock(&set->lock);
	if (outcome >= 0)
		count(outcome);
}

/*
 * Clears the pending reply of *view, and sets the flow's server to *server. Returns false if
 * another CPU has already done so, or if the slot has changed since it was read.
 */
static __noinline bool wire_take_owed(struct sluice_wire_set *set, const struct wire_key *key,
				      const struct wire_view *view,
				      const struct sluice_addr *server, __u32 now)
{
	__u32 flags = view->flags & ~SLUICE_WIRE_OWED, way = view->way % SLUICE_FLOW_WAYS;
	__u32 seal = sluice_wire_seal(key->hash, &view->requested, server, flags);
	struct sluice_wire_flow *flow = &set->flow[way];
	bool taken;

	bpf_spin_lock(&set->lock);
	taken = flow->seal == view->seal;
	if (taken) {
		flow->server = *server;
		flow->scope = key->scope | flags;
		flow->checked = now;
		flow->seal = seal;
		set->seen[way] = now;
	}
	bpf_spin_unlock(&set->lock);
	return taken;
}

/* --- fragments */

struct fragment_key {
	struct sluice_addr source;
	struct sluice_addr target;
	__be32 id_be;
	__u32 where;
	__u8 protocol;
	__u64 hash;
};

static __always_inline bool fragment_is(const void *slot, const void *named)
{
	const struct sluice_fragment *fragment = slot;
	const struct fragment_key *key = named;

	return fragment->id_be == key->id_be && fragment->where == key->where &&
	       fragment->protocol == key->protocol && addr_equal(&fragment->source, &key->source) &&
	       addr_equal(&fragment->target, &key->target);
}

static __always_inline void fragment_key(const struct __sk_buff *skb, const struct parsed *pkt,
					 bool out, struct fragment_key *key)
{
	key->source = pkt->outer.source;
	key->target = pkt->outer.target;
	key->id_be = pkt->fragment_id_be;
	key->where = skb->ifindex | (out ? SLUICE_FRAGMENT_OUT : 0);
	key->protocol = pkt->fragment_protocol;
}

static __always_inline struct sluice_fragment_set *fragment_set(struct fragment_key *key)
{
	__u64 hash = sluice_flow_mix(seed, (__u64)key->where << 32 | key->id_be);
	__u32 index;

	hash = sluice_flow_mix(hash, key->source.half[0]);
	hash = sluice_flow_mix(hash, key->source.half[1]);
	hash = sluice_flow_mix(hash, key->target.half[0]);
	key->hash = sluice_flow_mix(hash, key->target.half[1]);
	index = sluice_flow_set_index(key->hash, SLUICE_FRAGMENT_SETS);
	return bpf_map_lookup_elem(&sluice_w_frags, &index);
}

static __always_inline __u32 fragment_find(const struct sluice_fragment_set *set,
					   const struct fragment_key *key)
{
	return set_find(set->tag, sluice_flow_tag(key->hash), set->fragment, sizeof(*set->fragment),
			fragment_is, key);
}

/* Stores the decision about a first fragment, even that it is left alone. */
static __noinline void fragment_store(struct __sk_buff *skb, const struct parsed *pkt, bool out,
				      const struct change *change)
{
	struct fragment_key key = {};
	struct sluice_fragment *fragment;
	struct sluice_fragment_set *set;
	bool evicted = false;
	__u32 now = clock(), way;

	fragment_key(skb, pkt, out, &key);
	set = fragment_set(&key);
	if (!set)
		return;
	bpf_spin_lock(&set->lock);
	way = fragment_find(set, &key);
	if (way >= SLUICE_FLOW_WAYS) {
		way = set_oldest(set->tag, set->seen, now);
		evicted = set->tag[way] &&
			  sluice_flow_idle(now, set->seen[way]) <= SLUICE_FRAGMENT_LIFE;
	}
	fragment = &set->fragment[way];
	fragment->source = key.source;
	fragment->target = key.target;
	fragment->becomes = change->to;
	fragment->id_be = key.id_be;
	fragment->where = key.where;
	fragment->protocol = key.protocol;
	fragment->end = change->end;
	set->tag[way] = sluice_flow_tag(key.hash);
	set->seen[way] = now;
	bpf_spin_unlock(&set->lock);
	if (evicted)
		count(SLUICE_WIRE_fragment_evicted);
}

static __noinline void fragment_follow(struct __sk_buff *skb, const struct parsed *pkt, bool out,
				       struct change *change)
{
	struct fragment_key key = {};
	struct sluice_fragment_set *set;
	__u32 way, seen = 0;

	change->outcome = SLUICE_WIRE_fragment_early;
	fragment_key(skb, pkt, out, &key);
	set = fragment_set(&key);
	if (!set)
		return;
	bpf_spin_lock(&set->lock);
	way = fragment_find(set, &key);
	if (way < SLUICE_FLOW_WAYS) {
		change->to = set->fragment[way].becomes;
		change->end = set->fragment[way].end;
		seen = set->seen[way];
	}
	bpf_spin_unlock(&set->lock);
	if (way < SLUICE_FLOW_WAYS && sluice_flow_idle(clock(), seen) <= SLUICE_FRAGMENT_LIFE)
		change->outcome = SLUICE_WIRE_fragment_followed;
	else
		change->end = SLUICE_WIRE_NEITHER;
}

#endif
