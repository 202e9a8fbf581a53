/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/*
 * Handles servers on this host; the peers are behind the interface. The programs record a request
 * on ingress. On egress they detect a fault, and correct the source of the answer. They change the
 * destination of a request only if this host would refuse it because the server's socket has
 * connected back.
 */
#ifndef SLUICE_BPF_WIRE_HOST_H
#define SLUICE_BPF_WIRE_HOST_H

#include "common/addr.h"
#include "common/ticks.h"
#include "wire/bridge.h"
#include "wire/conntrack.h"
#include "wire/local_addr_cache.h"
#include "wire/record.h"
#include "wire/search.h"
#include "wire/sender.h"
#include "wire/socket.h"

/* include/uapi/linux/if_packet.h, by Ethernet address */
#define PACKET_BROADCAST 1
#define PACKET_MULTICAST 2

static __always_inline bool is_group_frame(const struct __sk_buff *skb)
{
	return skb->pkt_type == PACKET_BROADCAST || skb->pkt_type == PACKET_MULTICAST;
}

static __always_inline bool is_group(const struct __sk_buff *skb, const struct sluice_addr *target)
{
	if (is_group_frame(skb))
		return true;
	if (!addr_is_ip4(target))
		return target->byte[0] == 0xff;
	return (target->word_be[3] & bpf_htonl(0xf0000000)) == bpf_htonl(0xe0000000) ||
	       target->word_be[3] == 0xffffffff;
}

/*
 * Looks up the address that must receive a request: the requested address, if a socket receives the
 * request there; or the server address, if a socket there is connected to the peer; or none.
 */
static __noinline void request_route(struct __sk_buff *skb, const struct wire_key *key,
				     struct wire_view *view)
{
	__u32 genid = host_genid(skb, &view->requested), before = view->genid;
	__u64 known = view->socket;

	view->genid = genid;
	view->socket = 0;
	view->elsewhere = view->flags & SLUICE_WIRE_ELSEWHERE && before == genid;
	if (view->elsewhere || view->flags & SLUICE_WIRE_DEVICE) {
		view->reached = true;
		return;
	}
	if (addr_is_set(&view->server) && before != genid &&
	    !(addr_is_local(skb, &view->requested, genid) &&
	      addr_is_local(skb, &view->server, genid))) {
		count(SLUICE_WIRE_proof_dropped);
		view->server.half[0] = view->server.half[1] = 0;
		view->reached = true;
		return;
	}
	view->socket = socket_at(skb, key, &view->requested);
	view->reached = view->socket;
	if (view->reached)
		return;
	if (addr_is_set(&view->server)) {
		view->redirect = socket_at(skb, key, &view->server) & SLUICE_WIRE_BACK;
		return;
	}
	view->unknown = !walk_allowed(false);
	if (view->unknown)
		return;
	/* a request that this host forwards, or whose destination is local only by a route */
	if (!addr_is_local(skb, &view->requested, genid)) {
		view->reached = view->elsewhere = true;
		return;
	}
	if (!search_is_due(view, known))
		return;
	count(SLUICE_WIRE_address_search);
	view->has_searched = true;
	socket_search(skb, key, &view->server);
	view->redirect = addr_is_set(&view->server);
}

/* Handles an incoming datagram, which may be a request to a server on this host. */
static __always_inline void host_request(struct __sk_buff *skb, const struct ends *ends,
					 struct wire_key *key, struct wire_view *view,
					 bool conntrack, struct change *change)
{
	struct sluice_wire_set *set;
	__u32 now = tick_clock();

	change->outcome = SLUICE_WIRE_request_other_host;
	if (!frame_is_local(skb, now))
		return;
	set = request_set(skb, ends, false, key);
	if (!set)
		return;
	/* no record whose datagrams may be changed contains a group address */
	change->outcome = request_is_clear(set, key, &ends->target, is_group_frame(skb), false, now,
					   conntrack);
	if (likely(change->outcome != SLUICE_WIRE_COUNTERS_MAX))
		return;
	change->outcome = record_request(set, key, &ends->target, is_group(skb, &ends->target),
					 view);
	if (change->outcome != SLUICE_WIRE_COUNTERS_MAX)
		return;
	change->outcome = SLUICE_WIRE_request_passed;
	if (route_is_valid(view->flags, view->routed, view->socket, key->port_be, now, conntrack))
		return;
	request_route(skb, key, view);
	if (view->unknown) {
		change->outcome = SLUICE_WIRE_request_not_looked_up;
		return;
	}
	record_route(set, key, view);
	if (view->reached)
		return;
	change->outcome = SLUICE_WIRE_request_refused;
	if (!view->redirect)
		return;
	if (conntrack && !(view->flags & SLUICE_WIRE_DST) &&
	    conntrack_has_dnat(skb, key, &view->requested, true)) {
		record_mix(set, key);
		change->outcome = SLUICE_WIRE_request_mixed;
		return;
	}
	change->to = view->server;
	change->end = SLUICE_WIRE_TARGET;
	change->outcome = SLUICE_WIRE_request_rewritten;
}

/* Handles an outgoing datagram, which may be an answer from a server on this host. */
static __always_inline void host_reply(struct __sk_buff *skb, const struct ends *ends,
				       struct wire_key *key, struct wire_view *view, bool conntrack,
				       struct change *change)
{
	struct sluice_wire_flow *flow;
	struct sluice_wire_set *set;
	__u32 now = tick_clock(), genid, way;
	enum sender sender;
	__u64 cookie;

	set = reply_set(skb, ends, false, key);
	if (!set)
		return;
	flow = record_peek(set, key, now, &way);
	change->outcome = flow ? reply_is_clear(flow) : SLUICE_WIRE_reply_no_flow;
	if (change->outcome != SLUICE_WIRE_COUNTERS_MAX)
		return;
	cookie = sender_cookie(skb, conntrack);
	genid = sender_genid(skb, &ends->source, conntrack);
	if (likely(reply_is_sealed(set, way, key, &ends->source, cookie, genid, now,
				   &change->to))) {
		change->outcome = SLUICE_WIRE_reply_rewritten;
		change->end = SLUICE_WIRE_SOURCE;
		return;
	}
	view->genid = genid;
	change->outcome = record_reply(set, key, &ends->source, cookie, view);
	if (change->outcome == SLUICE_WIRE_reply_rewritten)
		goto rewrite;
	if (change->outcome != SLUICE_WIRE_COUNTERS_MAX)
		return;
	view->socket = 0;
	if (!view->redirect) {
		sender = sender_of(skb, addr_is_ip4(&ends->source), ends->source_port_be,
				   &view->socket);
		change->outcome = sender == SENDER_OTHER ? SLUICE_WIRE_reply_other_sender
							 : SLUICE_WIRE_reply_source_set;
		if (sender == SENDER_OTHER || sender == SENDER_CHOSEN)
			return;
		view->device = sender == SENDER_DEVICE;
	}
	change->outcome = SLUICE_WIRE_reply_address_gone;
	view->genid = genid;
	if (!addr_is_local(skb, &view->requested, view->genid))
		return;
	if (conntrack && !view->redirect && !addr_is_set(&view->server) &&
	    conntrack_has_dnat(skb, key, &view->requested, false)) {
		record_mix(set, key);
		change->outcome = SLUICE_WIRE_reply_mixed;
		return;
	}
	if (record_prove(set, key, view, &ends->source, cookie))
		count(SLUICE_WIRE_proven);
	change->outcome = SLUICE_WIRE_reply_rewritten;
rewrite:
	change->to = view->requested;
	change->end = SLUICE_WIRE_SOURCE;
}

#endif
