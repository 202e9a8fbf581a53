/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/*
 * ICMP errors quote a datagram as it was after its rewrite. The programs translate errors about
 * rewritten datagrams back, so that the sender's kernel finds the socket.
 */
#ifndef SLUICE_BPF_WIRE_ERROR_H
#define SLUICE_BPF_WIRE_ERROR_H

#include "common/addr.h"
#include "common/settings.h"
#include "common/ticks.h"
#include "wire/bridge.h"
#include "wire/gateway.h"
#include "wire/record.h"

enum error_fate {
	ERROR_LEFT,
	ERROR_TRANSLATED,
	ERROR_WITHHELD,
};

/* Rewrites the address in the quoted packet, and in the outer header if it is there too. */
static __always_inline enum error_fate error_translate(struct __sk_buff *skb,
						       const struct parsed *pkt,
						       enum sluice_wire_end end,
						       const struct sluice_addr *to)
{
	bool source = end == SLUICE_WIRE_SOURCE;
	const struct sluice_addr *quoted = source ? &pkt->quoted.source : &pkt->quoted.target;
	const struct sluice_addr *outer = source ? &pkt->outer.target : &pkt->outer.source;

	if (!change_quoted(skb, pkt, end, to))
		return ERROR_LEFT;
	if (addr_equal(outer, quoted) &&
	    !change_address(skb, pkt, source ? SLUICE_WIRE_TARGET : SLUICE_WIRE_SOURCE, to))
		return ERROR_LEFT;
	return ERROR_TRANSLATED;
}

/* Handles an error that is sent to the server, and quotes its answer. */
static __always_inline enum error_fate error_about_reply(struct __sk_buff *skb,
							 const struct parsed *pkt, bool gateway,
							 struct wire_key *key,
							 struct sluice_addr *to)
{
	struct sluice_wire_set *set;

	if (!port_managed(bpf_ntohs(pkt->quoted.source_port_be)))
		return ERROR_LEFT;
	set = reply_set(skb, &pkt->quoted, gateway, key);
	if (!set || !record_translate(set, key, &pkt->quoted.source, true, to))
		return ERROR_LEFT;
	return error_translate(skb, pkt, SLUICE_WIRE_SOURCE, to);
}

/*
 * Handles the server's refusal of a request. If the server is known to answer from another address,
 * its socket has most likely connected back from that address: redirects further requests there,
 * until that address refuses a request too. Returns true if it has not refused any yet: the caller
 * then withholds the error, since many clients would give up.
 */
static __noinline bool gateway_refusal(struct sluice_wire_set *set, const struct wire_key *key,
				       const struct sluice_addr *refused)
{
	__u32 now = tick_clock(), way, index;
	struct sluice_wire_flow *flow;
	bool withheld = false, redirect;

	bpf_spin_lock(&set->lock);
	way = record_find(set, key);
	if (!slot_live(set, way, now))
		goto unlock;
	way = way_forget(way, now);
	flow = &set->flow[way];
	index = !!(flow->flags & SLUICE_WIRE_LAST);
	if (flow->flags & UNTOUCHED || !addr_is_set(flow_server(flow, index)))
		goto unlock;
	withheld = !(flow->flags & SLUICE_WIRE_WITHHELD);
	redirect = addr_equal(index ? &flow->requested[1] : &flow->requested[0], refused) &&
		   withheld;
	flow->flags &= ~SLUICE_WIRE_REDIRECT;
	flow->flags |= SLUICE_WIRE_WITHHELD;
	if (redirect)
		flow->flags |= SLUICE_WIRE_REDIRECT | SLUICE_WIRE_DST;
unlock:
	bpf_spin_unlock(&set->lock);
	return withheld;
}

/* Handles an error that is sent to the peer, and quotes its request. */
static __always_inline enum error_fate error_about_request(struct __sk_buff *skb,
							   const struct parsed *pkt, bool gateway,
							   struct wire_key *key,
							   struct sluice_addr *to)
{
	struct sluice_wire_set *set;

	if (!port_managed(bpf_ntohs(pkt->quoted.target_port_be)))
		return ERROR_LEFT;
	set = request_set(skb, &pkt->quoted, gateway, key);
	if (!set)
		return ERROR_LEFT;
	/* a refusal by another host, such as a firewall, does not concern the server's sockets */
	if (gateway && pkt->refusal && addr_equal(&pkt->outer.source, &pkt->quoted.target) &&
	    gateway_refusal(set, key, &pkt->quoted.target))
		return ERROR_WITHHELD;
	if (!record_translate(set, key, &pkt->quoted.target, false, to))
		return ERROR_LEFT;
	return error_translate(skb, pkt, SLUICE_WIRE_TARGET, to);
}

/* Returns true if the caller must drop the error. */
static __always_inline bool error_pass(struct __sk_buff *skb, const struct parsed *pkt, bool out,
				       struct wire_key *key, struct sluice_addr *to)
{
	bool host = role & SLUICE_WIRE_HOST, gateway = role & SLUICE_WIRE_GATEWAY;
	enum error_fate fate = ERROR_LEFT;

	if (host && out)
		fate = error_about_request(skb, pkt, false, key, to);
	else if (host && frame_is_local(skb, tick_clock()))
		fate = error_about_reply(skb, pkt, false, key, to);
	if (gateway && fate == ERROR_LEFT)
		fate = out ? error_about_reply(skb, pkt, true, key, to)
			   : error_about_request(skb, pkt, true, key, to);
	count(fate == ERROR_WITHHELD	 ? SLUICE_WIRE_error_withheld
	      : fate == ERROR_TRANSLATED ? SLUICE_WIRE_error_translated
					 : SLUICE_WIRE_error_left);
	return fate == ERROR_WITHHELD;
}

#endif
