/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/*
 * Learns flows: incoming datagrams create, refresh or delete flows, from which replies get their
 * source.
 */
#ifndef SLUICE_BPF_REPLY_LEARN_H
#define SLUICE_BPF_REPLY_LEARN_H

#include "common/addr.h"
#include "common/settings.h"
#include "common/ticks.h"
#include "reply/datagram.h"
#include "reply/maps.h"
#include "reply/table.h"
#include "reply/usable_addr.h"

#include <bpf/bpf_core_read.h>
#include <stdbool.h>

/* Stores the flow if a reply may leave from its local address. Returns the counter to increment. */
static __always_inline enum sluice_reply_counter learn_new(struct __sk_buff *skb,
							   struct sluice_sock *sock,
							   struct sluice_flow_set *set,
							   const struct flow_key *key,
							   const struct sluice_addr *local)
{
	bool ip4 = addr_is_ip4(local);
	__u32 generation = local_addr_generation(sock->net, ip4);
	__u64 seal = sluice_flow_seal(seed, 0, local, generation);
	struct sluice_flow flow;
	enum addr_use use;

	/* common case: a stream of datagrams to an address that is local only by a route */
	if (sock->refused == seal)
		return SLUICE_REPLY_skipped_not_own;
	use = local_addr_usable(sock, local, ip4, generation, true);
	if (use != ADDR_USABLE) {
		if (use == ADDR_UNUSABLE)
			sock->refused = seal;
		return SLUICE_REPLY_skipped_not_own;
	}
	flow = (struct sluice_flow){
		.cookie = key->cookie,
		.peer = key->peer,
		.local = *local,
		.peer_port_be = key->peer_port_be,
		.port = key->port,
		.ifindex = skb->ifindex,
		.generation = generation,
		.netns = key->netns,
	};
	return flow_store(set, key, &flow, tick_clock());
}

/*
 * Stores or refreshes the flow. If the datagram's destination cannot be a source, deletes the flow,
 * so that the kernel chooses the source of the reply. Returns the counter to increment, or
 * SLUICE_REPLY_COUNTERS_MAX for none.
 */
static __always_inline enum sluice_reply_counter learn(struct __sk_buff *skb,
						       struct sluice_sock *sock,
						       struct flow_key *key,
						       const struct datagram *datagram)
{
	enum sluice_reply_counter outcome = SLUICE_REPLY_skipped_not_own;
	struct sluice_flow_set *set;

	flow_key_hash(key);
	set = flow_set(key);
	if (!set)
		return SLUICE_REPLY_COUNTERS_MAX;
	if (addr_is_loopback4(&datagram->target) && skb->ifindex != LOOPBACK_IFINDEX &&
	    !may_leave_from_loopback((void *)sock->net, BPF_CORE_READ(kernel_skb(skb), dev)))
		outcome = SLUICE_REPLY_skipped_loopback;
	else if (flow_refresh(set, key, &datagram->target, tick_clock()))
		return SLUICE_REPLY_COUNTERS_MAX;
	else if (!is_group(skb, datagram))
		outcome = learn_new(skb, sock, set, key, &datagram->target);
	if (outcome != SLUICE_REPLY_skipped_not_own && outcome != SLUICE_REPLY_skipped_loopback)
		return outcome;
	return flow_end(set, key) ? SLUICE_REPLY_ended : outcome;
}

static __always_inline void learn_all(struct __sk_buff *skb, struct sluice_sock *sock, __u16 port,
				      const struct datagram *datagram)
{
	struct flow_key key = {
		.cookie = sock->cookie,
		.peer = datagram->source,
		.peer_port_be = datagram->source_port_be,
		.port = port,
		.netns = sock->netns,
		.scope = addr_is_link_local(&datagram->source) ? skb->ifindex
							       : hidden_zero(skb->ifindex),
	};
	enum sluice_reply_counter outcome = learn(skb, sock, &key, datagram);

	if (outcome < SLUICE_REPLY_COUNTERS_MAX)
		count(outcome);
	if (!any_peer_port)
		return;
	key.peer_port_be = 0;
	if (learn(skb, sock, &key, datagram) == SLUICE_REPLY_evicted)
		count(SLUICE_REPLY_evicted);
}

#endif
