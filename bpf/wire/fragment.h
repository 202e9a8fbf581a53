/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/*
 * The table of fragmented datagrams. A later fragment has no ports, so the decision about the first
 * fragment applies to it as well. In IPv4 the protocol is part of a datagram's identity (RFC 791);
 * the table omits it, since it is always UDP. include/sluice/flow.h explains the sets.
 */
#ifndef SLUICE_BPF_WIRE_FRAGMENT_H
#define SLUICE_BPF_WIRE_FRAGMENT_H

#include "common/addr.h"
#include "common/settings.h"
#include "common/ticks.h"
#include "wire/flow_set.h"
#include "wire/maps.h"
#include "wire/packet.h"

struct fragment_key {
	struct sluice_addr source;
	struct sluice_addr target;
	__be32 id_be;
	__u32 where;
	__u64 hash;
};

static __always_inline bool fragment_is(const void *slot, const void *named)
{
	const struct sluice_fragment *fragment = slot;
	const struct fragment_key *key = named;

	return fragment->id_be == key->id_be && fragment->where == key->where &&
	       addr_equal(&fragment->source, &key->source) &&
	       addr_equal(&fragment->target, &key->target);
}

static __always_inline void fragment_key(const struct __sk_buff *skb, const struct parsed *pkt,
					 bool out, struct fragment_key *key)
{
	key->source = pkt->outer.source;
	key->target = pkt->outer.target;
	key->id_be = pkt->fragment_id_be;
	key->where = skb->ifindex | (out ? SLUICE_FRAGMENT_OUT : 0);
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

/* Stores the decision about a first fragment, including the decision to leave it alone. */
static __noinline void fragment_store(struct __sk_buff *skb, const struct parsed *pkt, bool out,
				      const struct change *change)
{
	struct fragment_key key = {};
	struct sluice_fragment *fragment;
	struct sluice_fragment_set *set;
	bool evicted = false;
	__u32 now = tick_clock(), way;

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
	if (way < SLUICE_FLOW_WAYS && sluice_flow_idle(tick_clock(), seen) <= SLUICE_FRAGMENT_LIFE)
		change->outcome = SLUICE_WIRE_fragment_followed;
	else
		change->end = SLUICE_WIRE_NEITHER;
}

#endif
