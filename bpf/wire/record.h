/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/*
 * The records of peers (include/sluice/wire.h), half-open or proven, which both directions share.
 *
 * A set's lock protects its records. A program takes the lock to record a datagram and to copy the
 * record. It decides without the lock, since a program cannot call helpers under a lock, and takes
 * the lock again only to store a new decision.
 *
 * Most datagrams only update timestamps, and follow a stored decision. They take no lock, since the
 * lock would double the cost: at worst, a race with another CPU leaves a packet unchanged. Only the
 * rewrite of a source needs more protection: a seal (sluice_wire_seal()).
 */
#ifndef SLUICE_BPF_WIRE_RECORD_H
#define SLUICE_BPF_WIRE_RECORD_H

#include "common/addr.h"
#include "common/ticks.h"
#include "wire/kernel_cast.h"
#include "wire/maps.h"
#include "wire/table.h"

#define UNTOUCHED (SLUICE_WIRE_RIGHT | SLUICE_WIRE_MIXED)

/* The state of a decision about a datagram. A program has only one, to save stack. */
struct wire_view {
	struct sluice_addr requested; /* the requested address that the datagram belongs to */
	struct sluice_addr server;    /* source of wrong answers for `requested`; 0: none */
	__u32 index;		      /* index of the requested address */
	__u32 flags;		      /* enum sluice_wire_flag */
	__u32 genid;		      /* host_genid() when `server` was checked */
	__u32 routed;
	__u64 socket; /* first from the record, then the result of the lookup */
	/* Results of the lookups. */
	bool reached;  /* a socket receives requests at `requested` */
	bool redirect; /* a connected-back socket receives requests at `server`, or sends from it */
	bool has_searched; /* all local addresses have been searched */
	bool unknown;	   /* the limit on walks was reached */
	bool elsewhere;	   /* `requested` is not local to this host */
	bool device;	   /* the socket that replied is bound to another device */
};

/* --- reading; @index is the index of a requested address */

static __always_inline bool flow_has_proof(const struct sluice_wire_flow *flow)
{
	return addr_is_set(&flow->server[0]) || addr_is_set(&flow->server[1]);
}

/* Returns the index of a requested address, or SLUICE_WIRE_REQUESTED. */
static __always_inline __u32 flow_index(const struct sluice_wire_flow *flow,
					const struct sluice_addr *addr)
{
	if (addr_equal(&flow->requested[0], addr))
		return 0;
	return flow->flags & SLUICE_WIRE_SECOND && addr_equal(&flow->requested[1], addr)
		       ? 1
		       : SLUICE_WIRE_REQUESTED;
}

static __always_inline bool flow_pending(const struct sluice_wire_flow *flow, __u32 index,
					 __u32 now)
{
	__u32 since = flow->pending[index & 1];

	return since && sluice_flow_idle(now, since) <= SLUICE_WIRE_PENDING;
}

/* Returns the index of the requested address to which an answer from another address belongs. */
static __always_inline __u32 flow_answered(const struct sluice_wire_flow *flow, __u32 now)
{
	bool first = flow_pending(flow, 0, now), second = flow_pending(flow, 1, now);

	if (first && second)
		return !!(flow->flags & SLUICE_WIRE_OLDER);
	if (first || second)
		return second;
	return !!(flow->flags & SLUICE_WIRE_LAST);
}

/* Returns true if @addr is one of the server addresses. */
static __always_inline bool flow_is_server(const struct sluice_wire_flow *flow,
					   const struct sluice_addr *addr)
{
	return addr_equal(&flow->server[0], addr) || addr_equal(&flow->server[1], addr);
}

static __always_inline struct sluice_addr *flow_server(struct sluice_wire_flow *flow, __u32 index)
{
	return index ? &flow->server[1] : &flow->server[0];
}

/*
 * Returns the seal of a decision. Once a request was redirected, the seal covers every socket that
 * sends from the server address.
 */
static __always_inline __u64 flow_seal(const struct sluice_wire_flow *flow,
				       const struct wire_key *key,
				       const struct sluice_addr *requested,
				       const struct sluice_addr *source, __u64 cookie, __u32 genid)
{
	cookie = flow->flags & SLUICE_WIRE_DST ? 0 : cookie;
	return sluice_wire_seal(key->hash, requested, source, cookie, genid);
}

static __always_inline bool flow_is_sealed(const struct sluice_wire_flow *flow,
					   const struct wire_key *key,
					   const struct sluice_addr *requested,
					   const struct sluice_addr *source, __u64 cookie,
					   __u32 genid, __u32 now)
{
	return flow->seal == flow_seal(flow, key, requested, source, cookie, genid) &&
	       sluice_flow_idle(now, flow->judged) <= SLUICE_WIRE_RECHECK;
}

/* --- changes; the caller of the first three holds the lock */

/* Stores the time with its lowest bit set, since 0 means: not pending. */
static __always_inline void flow_pend(struct sluice_wire_flow *flow, __u32 index, __u32 now)
{
	flow->pending[index & 1] = now | 1;
}

/* Drops the proofs of a record, which becomes half-open again. */
static __always_inline void record_unprove(struct sluice_wire_set *set, __u32 way, __u32 flags)
{
	const struct sluice_addr none = {};
	struct sluice_wire_flow *flow = &set->flow[way];

	flow->server[0] = flow->server[1] = none;
	flow->seal = 0;
	flow->flags &= ~(SLUICE_WIRE_PROVEN | SLUICE_WIRE_DST | SLUICE_WIRE_REDIRECT |
			 SLUICE_WIRE_ELSEWHERE);
	flow->flags |= flags;
	set->proven &= ~(1U << way);
}

/* Creates a half-open record in a slot, for the first request of a peer. */
static __always_inline void record_make(struct sluice_wire_set *set, __u32 way,
					const struct wire_key *key,
					const struct sluice_addr *target, bool group, __u32 now)
{
	struct sluice_wire_flow *flow = &set->flow[way];

	__builtin_memset(flow, 0, sizeof(*flow));
	flow->peer = key->peer;
	flow->peer_port_be = key->peer_port_be;
	flow->port_be = key->port_be;
	flow->scope = key->scope;
	flow->flags = group ? SLUICE_WIRE_MIXED : 0;
	flow->requested[0] = *target;
	flow_pend(flow, 0, now);
	set->tag[way] = sluice_flow_tag(key->hash);
	set->owner[way] = key->scope;
	set->proven &= ~(1U << way);
}

/* Records that the peer has sent to @target. */
static __always_inline void record_again(struct sluice_wire_set *set, __u32 way,
					 const struct sluice_addr *target, bool group, __u32 now)
{
	struct sluice_wire_flow *flow = &set->flow[way];
	__u32 index = flow_index(flow, target);

	if (index == SLUICE_WIRE_REQUESTED && !(flow->flags & SLUICE_WIRE_SECOND) && !group) {
		flow->requested[1] = *target;
		flow->flags |= SLUICE_WIRE_SECOND;
		index = 1;
	}
	if (group || index == SLUICE_WIRE_REQUESTED) {
		record_unprove(set, way, SLUICE_WIRE_MIXED);
		return;
	}
	if (!index != !(flow->flags & SLUICE_WIRE_LAST)) {
		flow->flags ^= SLUICE_WIRE_LAST;
		/* the flags applied to the previous address */
		flow->flags &= ~(SLUICE_WIRE_REDIRECT | SLUICE_WIRE_ELSEWHERE);
		flow->routed = 0;
	}
	if (flow->flags & SLUICE_WIRE_ELSEWHERE || flow_pending(flow, index, now))
		return;
	/* if both addresses are pending now, the request to the other address is older */
	flow->flags = index ? flow->flags & ~SLUICE_WIRE_OLDER : flow->flags | SLUICE_WIRE_OLDER;
	flow_pend(flow, index, now);
}

/* Copies the fields that a decision needs, about the requested address @index. */
static __always_inline void record_view(const struct sluice_wire_flow *flow, __u32 index,
					struct wire_view *view)
{
	view->requested = index ? flow->requested[1] : flow->requested[0];
	view->server = index ? flow->server[1] : flow->server[0];
	view->index = index;
	view->flags = flow->flags;
	view->genid = flow->genid;
	view->routed = flow->routed;
	view->socket = flow->socket;
	view->reached = view->redirect = view->has_searched = false;
	view->unknown = view->elsewhere = view->device = false;
}

/*
 * Records a request, and fills *view. Returns the counter to increment if the request is left
 * alone, since the record is new or UNTOUCHED; otherwise returns SLUICE_WIRE_COUNTERS_MAX.
 */
static __noinline enum sluice_wire_counter record_request(struct sluice_wire_set *set,
							  const struct wire_key *key,
							  const struct sluice_addr *target,
							  bool group, struct wire_view *view)
{
	bool known, found, promoted = false, evicts = false;
	struct sluice_wire_flow *flow;
	__u32 now = tick_clock(), way;
	int evicted = -1;

	bpf_spin_lock(&set->lock);
	way = record_find(set, key);
	found = way < SLUICE_FLOW_WAYS;
	known = slot_live(set, way, now);
	way = way_forget(way, now);
	if (known) {
		record_again(set, way, target, group, now);
		promoted = flow_has_proof(&set->flow[way]) && !(set->proven >> way & 1);
		evicts = promoted && ways_count(set->proven) >= SLUICE_WIRE_PROVEN_WAYS;
	}
	if (evicts || !found) {
		__u32 class = evicts ? set->proven : ~(__u32)set->proven;
		__u32 victim = slot_choose(set, evicts ? class : ~0U, class, key->scope, now);

		if (slot_is_live(set, victim, now))
			evicted = evicts ? SLUICE_WIRE_evicted : SLUICE_WIRE_evicted_half_open;
		set->tag[victim] = 0;
		set->proven &= ~(1U << victim);
		way = found ? way : victim;
	}
	flow = &set->flow[way];
	if (promoted) {
		set->proven |= 1U << way;
		flow->flags |= SLUICE_WIRE_PROVEN;
	}
	if (!known)
		record_make(set, way, key, target, group, now);
	set->seen[way] = now;
	record_view(flow, !!(flow->flags & SLUICE_WIRE_LAST), view);
	bpf_spin_unlock(&set->lock);
	if (evicted >= 0)
		count(evicted);
	if (view->flags & UNTOUCHED)
		return view->flags & SLUICE_WIRE_MIXED ? SLUICE_WIRE_request_mixed
						       : SLUICE_WIRE_request_right;
	return known ? SLUICE_WIRE_COUNTERS_MAX : SLUICE_WIRE_half_open;
}

/* Stores the results of the lookups for a request. */
static __noinline void record_route(struct sluice_wire_set *set, const struct wire_key *key,
				    const struct wire_view *found)
{
	__u32 now = tick_clock(), way, index = found->index & 1;
	struct sluice_wire_flow *flow;

	bpf_spin_lock(&set->lock);
	way = record_find(set, key);
	if (!slot_live(set, way, now))
		goto unlock;
	way = way_forget(way, now);
	flow = &set->flow[way];
	if (flow->flags & UNTOUCHED)
		goto unlock;
	/* the other proof predates the change of addresses */
	if (flow->genid != found->genid)
		record_unprove(set, way, flow->flags & SLUICE_WIRE_DST);
	*flow_server(flow, index) = found->server;
	flow->genid = found->genid;
	flow->flags &= ~(SLUICE_WIRE_REDIRECT | SLUICE_WIRE_ELSEWHERE);
	if (found->redirect)
		flow->flags |= SLUICE_WIRE_REDIRECT | SLUICE_WIRE_DST;
	flow->socket = found->socket;
	if (found->reached || found->has_searched)
		flow->routed = now;
	/* this host does not answer a request that it refuses or forwards */
	if (found->elsewhere || !(found->reached || found->redirect))
		flow->pending[index] = 0;
	if (!flow_has_proof(flow))
		record_unprove(set, way, 0);
	/* a later request may have gone to the other address */
	if (found->elsewhere && index == !!(flow->flags & SLUICE_WIRE_LAST))
		flow->flags |= SLUICE_WIRE_ELSEWHERE;
unlock:
	bpf_spin_unlock(&set->lock);
}

/*
 * Records a datagram from @source to the peer, and fills *view for the requested address that it
 * answers. Returns the counter to increment if the outcome is clear: there is no record, the source
 * is right, the record is UNTOUCHED, or a recent decision about the socket @cookie is still valid
 * at view->genid. Otherwise returns SLUICE_WIRE_COUNTERS_MAX.
 */
static __noinline enum sluice_wire_counter record_reply(struct sluice_wire_set *set,
							const struct wire_key *key,
							const struct sluice_addr *source,
							__u64 cookie, struct wire_view *view)
{
	enum sluice_wire_counter outcome = SLUICE_WIRE_reply_no_flow;
	__u32 now = tick_clock(), genid = view->genid, way, index;
	struct sluice_wire_flow *flow;

	bpf_spin_lock(&set->lock);
	way = record_find(set, key);
	if (!slot_live(set, way, now))
		goto unlock;
	way = way_forget(way, now);
	flow = &set->flow[way];
	if (flow_index(flow, source) < SLUICE_WIRE_REQUESTED) {
		outcome = SLUICE_WIRE_reply_right;
		record_unprove(set, way, SLUICE_WIRE_RIGHT);
		goto unlock;
	}
	outcome = SLUICE_WIRE_reply_mixed;
	if (flow->flags & UNTOUCHED)
		goto unlock;
	index = flow_answered(flow, now);
	record_view(flow, index, view);
	view->redirect = flow->flags & SLUICE_WIRE_DST && flow_is_server(flow, source);
	outcome = SLUICE_WIRE_COUNTERS_MAX;
	if (!flow_is_sealed(flow, key, &view->requested, source, cookie, genid, now))
		goto unlock;
	outcome = SLUICE_WIRE_reply_rewritten;
	flow->pending[index & 1] = 0;
	flow->flags &= ~SLUICE_WIRE_WITHHELD;
	set->seen[way] = now;
unlock:
	bpf_spin_unlock(&set->lock);
	return outcome;
}

/*
 * Stores the proof for view->requested: a reply from @source, sent by the socket @cookie. Returns
 * true if it is new.
 */
static __noinline bool record_prove(struct sluice_wire_set *set, const struct wire_key *key,
				    const struct wire_view *view, const struct sluice_addr *source,
				    __u64 cookie)
{
	__u32 now = tick_clock(), way, index = view->index & 1;
	struct sluice_wire_flow *flow;
	bool fresh = false;

	bpf_spin_lock(&set->lock);
	way = record_find(set, key);
	if (!slot_live(set, way, now))
		goto unlock;
	way = way_forget(way, now);
	flow = &set->flow[way];
	if (flow->flags & UNTOUCHED)
		goto unlock;
	fresh = !addr_equal(flow_server(flow, index), source);
	/* as in record_route() */
	if (flow->genid != view->genid)
		record_unprove(set, way, flow->flags & SLUICE_WIRE_DST);
	*flow_server(flow, index) = *source;
	flow->genid = view->genid;
	flow->seal = flow_seal(flow, key, &view->requested, source, cookie, view->genid);
	flow->judged = now;
	flow->pending[index] = 0;
	flow->flags &= ~(SLUICE_WIRE_WITHHELD | SLUICE_WIRE_DEVICE);
	if (view->device)
		flow->flags |= SLUICE_WIRE_DEVICE;
	if (index == !!(flow->flags & SLUICE_WIRE_LAST)) {
		flow->routed = now;
		flow->socket = view->socket;
	}
	set->seen[way] = now;
unlock:
	bpf_spin_unlock(&set->lock);
	return fresh;
}

/* Leaves all datagrams of a record alone, since DNAT sends the peer's requests elsewhere. */
static __noinline void record_mix(struct sluice_wire_set *set, const struct wire_key *key)
{
	__u32 now = tick_clock(), way;

	bpf_spin_lock(&set->lock);
	way = record_find(set, key);
	if (slot_live(set, way, now))
		record_unprove(set, way_forget(way, now), SLUICE_WIRE_MIXED);
	bpf_spin_unlock(&set->lock);
	count(SLUICE_WIRE_dnat);
}

/*
 * Finds the original address of a rewritten datagram that an ICMP error quotes: with @reply, the
 * server address that the requested address has replaced; otherwise the reverse. Returns false if
 * there is none.
 */
static __noinline bool record_translate(struct sluice_wire_set *set, const struct wire_key *key,
					const struct sluice_addr *quoted, bool reply,
					struct sluice_addr *to)
{
	__u32 now = tick_clock(), way, index;
	struct sluice_wire_flow *flow;
	bool found = false;

	bpf_spin_lock(&set->lock);
	way = record_find(set, key);
	if (!slot_live(set, way, now))
		goto unlock;
	way = way_forget(way, now);
	flow = &set->flow[way];
	index = flow_index(flow, quoted);
	if (flow->flags & UNTOUCHED || reply != index < SLUICE_WIRE_REQUESTED)
		goto unlock;
	if (reply) {
		*to = *flow_server(flow, index);
		found = addr_is_set(to);
		goto unlock;
	}
	index = !!(flow->flags & SLUICE_WIRE_LAST);
	if (!addr_equal(flow_server(flow, index), quoted))
		index = !index;
	*to = index ? flow->requested[1] : flow->requested[0];
	found = flow->flags & SLUICE_WIRE_DST && addr_equal(flow_server(flow, index), quoted);
unlock:
	bpf_spin_unlock(&set->lock);
	return found;
}

/* --- without the lock */

/* Returns the live record, or NULL. */
static __always_inline struct sluice_wire_flow *record_peek(struct sluice_wire_set *set,
							    const struct wire_key *key, __u32 now,
							    __u32 *way)
{
	__u32 found = record_find(set, key);

	if (!slot_live(set, found, now))
		return NULL;
	*way = way_forget(found, now);
	return &set->flow[*way];
}

/* Returns the counter to increment if the record is UNTOUCHED, or SLUICE_WIRE_COUNTERS_MAX. */
static __always_inline enum sluice_wire_counter reply_is_clear(const struct sluice_wire_flow *flow)
{
	__u32 flags = flow->flags;

	if (likely(!(flags & UNTOUCHED)))
		return SLUICE_WIRE_COUNTERS_MAX;
	return flags & SLUICE_WIRE_MIXED ? SLUICE_WIRE_reply_mixed : SLUICE_WIRE_reply_right;
}

/* Stores the time at most once a tick: each write moves the cache line to this CPU. */
static __always_inline void record_seen(struct sluice_wire_set *set, __u32 way, __u32 now)
{
	if (set->seen[way] != now)
		set->seen[way] = now;
}

/*
 * Returns true if a recent lookup has found that requests reach a socket or another host, and the
 * server has neither closed nor connected that socket since.
 */
static __always_inline bool route_is_valid(__u32 flags, __u32 routed, __u64 socket, __be16 port_be,
					   __u32 now, bool kfuncs)
{
	return sluice_flow_idle(now, routed) <= SLUICE_WIRE_RECHECK &&
	       (flags & SLUICE_WIRE_ELSEWHERE || socket_is_same(socket, port_be, kfuncs));
}

/*
 * Records a request if its outcome is clear: the record is UNTOUCHED, or the peer sends to a single
 * address, and a recent lookup has found that requests to it reach a socket or another host. On a
 * gateway, no socket is known. Returns the counter, or SLUICE_WIRE_COUNTERS_MAX.
 */
static __always_inline enum sluice_wire_counter request_is_clear(struct sluice_wire_set *set,
								 const struct wire_key *key,
								 const struct sluice_addr *target,
								 bool group, bool gateway,
								 __u32 now, bool kfuncs)
{
	__u32 way, flags, blocks = SLUICE_WIRE_SECOND | (gateway ? SLUICE_WIRE_REDIRECT : 0);
	struct sluice_wire_flow *flow = record_peek(set, key, now, &way);

	if (!flow)
		return SLUICE_WIRE_COUNTERS_MAX;
	flags = flow->flags;
	if (flags & UNTOUCHED) {
		record_seen(set, way, now);
		return flags & SLUICE_WIRE_MIXED ? SLUICE_WIRE_request_mixed
						 : SLUICE_WIRE_request_right;
	}
	/* the first request after the proof makes the record proven */
	if (group || flags & blocks || (flow->seal && !(flags & SLUICE_WIRE_PROVEN)) ||
	    !addr_equal(&flow->requested[0], target) ||
	    (!gateway &&
	     !route_is_valid(flags, flow->routed, flow->socket, key->port_be, now, kfuncs)))
		return SLUICE_WIRE_COUNTERS_MAX;
	if (!(flags & SLUICE_WIRE_ELSEWHERE) && !flow_pending(flow, 0, now))
		flow_pend(flow, 0, now);
	record_seen(set, way, now);
	return SLUICE_WIRE_request_passed;
}

/*
 * Returns true if the peer has sent to a single address, and the decision about its answers is
 * still valid. Then also records the answer, and copies the address.
 */
static __always_inline bool reply_is_sealed(struct sluice_wire_set *set, __u32 way,
					    const struct wire_key *key,
					    const struct sluice_addr *source, __u64 cookie,
					    __u32 genid, __u32 now, struct sluice_addr *requested)
{
	struct sluice_wire_flow *flow = &set->flow[way];
	/* read once, so that the seal covers the address that is used */
	const volatile struct sluice_addr *first = &flow->requested[0];

	if (flow->flags & (SLUICE_WIRE_SECOND | SLUICE_WIRE_WITHHELD))
		return false;
	requested->half[0] = first->half[0];
	requested->half[1] = first->half[1];
	if (!flow_is_sealed(flow, key, requested, source, cookie, genid, now))
		return false;
	if (flow->pending[0])
		flow->pending[0] = 0;
	record_seen(set, way, now);
	return true;
}

#endif
