/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/* Chooses the source of a reply, or the reason to leave the choice to the kernel. */
#ifndef SLUICE_BPF_REPLY_SOURCE_H
#define SLUICE_BPF_REPLY_SOURCE_H

#include "common/addr.h"
#include "common/settings.h"
#include "common/ticks.h"
#include "reply/maps.h"
#include "reply/table.h"
#include "reply/usable_addr.h"

#include <bpf/bpf_core_read.h>
#include <linux/in6.h>
#include <stdbool.h>
#include <stddef.h>

static __always_inline struct flow_key key_of(const struct sluice_sock *sock,
					      const struct bpf_sock *sk)
{
	return (struct flow_key){
		.cookie = sock->cookie,
		.port = sk->src_port,
		.netns = sock->netns,
	};
}

/*
 * Returns true if the application has set the source of a send (IP_PKTINFO, IPV6_PKTINFO), and
 * counts the send; the caller must not change the source. @words is the address, or the OR of all
 * its words.
 */
static __always_inline bool source_is_set(__u32 words)
{
	if (words)
		count(SLUICE_REPLY_left_source_set);
	return words;
}

/* Sets the peer to the destination of sendmsg(2) or connect(2). */
static __always_inline void key_peer4(struct flow_key *key, const struct bpf_sock_addr *ctx)
{
	addr_map_ip4(&key->peer, ctx->user_ip4);
	key->peer_port_be = ctx->user_port;
}

/*
 * The same for IPv6. The scope of a link-local destination is sin6_scope_id, or else the device
 * that the socket is bound to (net/ipv6/udp.c, udpv6_sendmsg).
 */
static __always_inline void key_peer6(struct flow_key *key, const struct bpf_sock_addr *ctx,
				      const struct bpf_sock *sk)
{
	key->peer.word_be[0] = ctx->user_ip6[0];
	key->peer.word_be[1] = ctx->user_ip6[1];
	key->peer.word_be[2] = ctx->user_ip6[2];
	key->peer.word_be[3] = ctx->user_ip6[3];
	key->peer_port_be = ctx->user_port;
	/* with an unknown scope instead of a constant 0, the verifier follows a single state */
	key->scope = hidden_zero(key->peer.word_be[0]);
	if (addr_is_link_local(&key->peer)) {
		const void *to = BPF_CORE_READ((struct bpf_sock_addr_kern *)ctx, uaddr);

		bpf_probe_read_kernel(&key->scope, sizeof(key->scope),
				      to + offsetof(struct sockaddr_in6, sin6_scope_id));
		if (!key->scope)
			key->scope = sk->bound_dev_if;
	}
}

/*
 * Finds the requested address. Returns SLUICE_REPLY_fixed if a reply can leave from it, or else the
 * counter for the reason to leave the reply alone.
 */
static __always_inline enum sluice_reply_counter flow_source(const struct sluice_sock *sock,
							     struct flow_key *key,
							     struct sluice_addr *source)
{
	struct sluice_flow_set *set;
	struct flow_view flow;
	__u32 generation;
	bool ip4;

	flow_key_hash(key);
	set = flow_set(key);
	if (!set || !flow_read(set, key, &flow))
		return SLUICE_REPLY_left_no_flow;
	if (sluice_flow_idle(tick_clock(), flow.seen) > age)
		return SLUICE_REPLY_left_expired;
	/* must follow the search, which the verifier would otherwise follow once for each family */
	asm volatile("" ::: "memory");
	ip4 = addr_is_ip4(&key->peer);
	generation = local_addr_generation(sock->net, ip4);
	if (flow.generation != generation) {
		if (local_addr_usable(sock, &flow.local, ip4, generation, false) != ADDR_USABLE)
			return SLUICE_REPLY_left_address_gone;
		flow_confirm(set, key, &flow, generation);
	}
	*source = flow.local;
	return SLUICE_REPLY_fixed;
}

/* Calls flow_source(); with --any-peer-port, falls back to the flow for any port of the peer. */
static __always_inline enum sluice_reply_counter source_for(const struct sluice_sock *sock,
							    struct flow_key *key,
							    struct sluice_addr *source)
{
	enum sluice_reply_counter outcome;

	if (addr_is_link_local(&key->peer) && !key->scope)
		return SLUICE_REPLY_left_scope;
	outcome = flow_source(sock, key, source);
	if (!any_peer_port || outcome != SLUICE_REPLY_left_no_flow)
		return outcome;
	key->peer_port_be = 0;
	outcome = flow_source(sock, key, source);
	return outcome == SLUICE_REPLY_fixed ? SLUICE_REPLY_fixed_other_port : outcome;
}

static __always_inline bool is_fixed(enum sluice_reply_counter outcome)
{
	return outcome == SLUICE_REPLY_fixed || outcome == SLUICE_REPLY_fixed_other_port;
}

#endif
