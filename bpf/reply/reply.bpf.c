// SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause)
/*
 * Object reply, mode socket: a reply leaves from the address to which the peer sent its request.
 *
 * sluice_learn runs when the socket receives a datagram (after netfilter, so after DNAT) and stores
 * the local address for (socket, peer). sluice_fix4 and sluice_fix6 run before the route lookup of
 * a send, and so before conntrack, and set the source unless the application has set it. In mode
 * audit, sluice_audit replaces the fixes and only counts wrong sources. sluice_connect4 and
 * sluice_connect6 record servers that connect to their clients, which the fixes do not cover: a
 * connected socket has a source, and receives nothing sent to another address. That source is known
 * only when the socket sends; then sluice_audit compares it with the requested address.
 *
 * A send with a source that is not local fails, so the fixes check that first (reply/local_addr.h).
 * When in doubt, a program passes the datagram unchanged.
 */
#include "common/addr.h"
#include "common/clock.h"
#include "common/kernel.h"
#include "common/settings.h"
#include "reply/audit.h"
#include "reply/datagram.h"
#include "reply/flows.h"
#include "reply/local_addr.h"
#include "reply/maps.h"

#include <bpf/bpf_core_read.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <stdbool.h>
#include <stddef.h>

#define PASS 1

const volatile bool any_peer_port; /* records flows for any port of a peer as well */

/* Creates the storage of a socket at its first datagram. */
static __always_inline struct sluice_sock *sock_record(struct __sk_buff *skb, struct bpf_sock *sk)
{
	struct sock *kernel_sk = BPF_CORE_READ(kernel_skb(skb), sk);
	struct net *net = BPF_CORE_READ(kernel_sk, __sk_common.skc_net.net);
	struct sluice_sock fresh = {
		.cookie = bpf_get_socket_cookie(skb),
		.net = (unsigned long)net,
		.netns = BPF_CORE_READ(net, ns.inum),
		.port_chosen = !(BPF_CORE_READ_BITFIELD_PROBED(kernel_sk, sk_userlocks) &
				 SOCK_BINDPORT_LOCK),
	};
	struct sluice_sock *sock;

	sock = bpf_sk_storage_get(&sluice_socks, sk, &fresh, BPF_SK_STORAGE_GET_F_CREATE);
	if (!sock)
		count(SLUICE_REPLY_skipped_memory);
	else if (any_port && fresh.port_chosen)
		count(SLUICE_REPLY_skipped_client);
	return sock;
}

/* A client's source may change with the routes, so sluice must not fix it. */
static __always_inline bool sock_managed(const struct sluice_sock *sock)
{
	return !any_port || !sock->port_chosen;
}

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

	/* the common case of a stream to an address that only a route makes local */
	if (sock->refused == seal)
		return SLUICE_REPLY_skipped_not_own;
	if (!local_addr_usable(sock, local, ip4, generation)) {
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
	return flow_store(set, key, &flow, clock());
}

/*
 * Stores or refreshes the flow, or ends it if no reply may leave from the datagram's destination:
 * the reply is then left to the kernel. Returns the counter to increment, or
 * SLUICE_REPLY_COUNTERS_MAX.
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
	else if (flow_refresh(set, key, &datagram->target, clock()))
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
		.scope = addr_is_link_local(&datagram->source) ? skb->ifindex : 0,
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

SEC("cgroup_skb/ingress")
int sluice_learn(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk;
	struct datagram datagram;
	struct sluice_sock *sock;

	if (!sk || !may_be_udp(skb) || !sock_is_wildcard(skb, sk) || !port_managed(sk->src_port))
		return PASS;
	sock = bpf_sk_storage_get(&sluice_socks, sk, NULL, 0);
	if (sock && !sock_managed(sock))
		return PASS;
	if (!datagram_parse(skb, &datagram))
		return PASS;
	if (!sock)
		sock = sock_record(skb, sk);
	if (sock && sock_managed(sock))
		learn_all(skb, sock, sk->src_port, &datagram);
	return PASS;
}

/*
 * Finds the requested address. Returns SLUICE_REPLY_fixed if a reply can leave from it, or else the
 * counter for the reason to leave the reply alone.
 */
static __always_inline enum sluice_reply_counter flow_source(const struct sluice_sock *sock,
							     struct flow_key *key,
							     struct sluice_addr *source)
{
	bool ip4 = addr_is_ip4(&key->peer);
	struct sluice_flow_set *set;
	struct flow_view flow;
	__u32 generation;

	flow_key_hash(key);
	set = flow_set(key);
	if (!set || !flow_read(set, key, &flow))
		return SLUICE_REPLY_left_no_flow;
	if (sluice_flow_idle(clock(), flow.seen) > age)
		return SLUICE_REPLY_left_expired;
	generation = local_addr_generation(sock->net, ip4);
	if (flow.generation != generation) {
		if (!local_addr_usable(sock, &flow.local, ip4, generation))
			return SLUICE_REPLY_left_address_gone;
		flow_confirm(set, key, &flow, generation);
	}
	*source = flow.local;
	return SLUICE_REPLY_fixed;
}

/* The same; if there is no flow, looks for one of another port of the peer. */
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

/* Returns the storage of the sending socket, or NULL if it is not managed. */
static __always_inline struct sluice_sock *sender(struct bpf_sock *sk)
{
	struct sluice_sock *sock;

	if (!port_managed(sk->src_port))
		return NULL;
	sock = bpf_sk_storage_get(&sluice_socks, sk, NULL, 0);
	return sock && sock_managed(sock) ? sock : NULL;
}

static __always_inline struct flow_key key_of(const struct sluice_sock *sock,
					      const struct bpf_sock *sk)
{
	return (struct flow_key){
		.cookie = sock->cookie,
		.port = sk->src_port,
		.netns = sock->netns,
	};
}

/* Sets the peer to the destination of sendmsg(2) or connect(2). */
static __always_inline void key_peer4(struct flow_key *key, const struct bpf_sock_addr *ctx)
{
	addr_map_ip4(&key->peer, ctx->user_ip4);
	key->peer_port_be = ctx->user_port;
}

/*
 * The same for IPv6. A link-local destination is on the link that the caller names, or else on the
 * device that the socket is bound to (net/ipv6/udp.c, udpv6_sendmsg).
 */
static __always_inline void key_peer6(struct flow_key *key, const struct bpf_sock_addr *ctx,
				      const struct bpf_sock *sk)
{
	key->peer.word_be[0] = ctx->user_ip6[0];
	key->peer.word_be[1] = ctx->user_ip6[1];
	key->peer.word_be[2] = ctx->user_ip6[2];
	key->peer.word_be[3] = ctx->user_ip6[3];
	key->peer_port_be = ctx->user_port;
	if (addr_is_link_local(&key->peer)) {
		const void *to = BPF_CORE_READ((struct bpf_sock_addr_kern *)ctx, uaddr);

		bpf_probe_read_kernel(&key->scope, sizeof(key->scope),
				      to + offsetof(struct sockaddr_in6, sin6_scope_id));
		if (!key->scope)
			key->scope = sk->bound_dev_if;
	}
}

SEC("cgroup/sendmsg4")
int sluice_fix4(struct bpf_sock_addr *ctx)
{
	struct bpf_sock *sk = ctx->sk;
	struct sluice_addr source = {};
	enum sluice_reply_counter outcome;
	struct sluice_sock *sock;
	struct flow_key key;

	if (!sk || sk->src_ip4)
		return PASS;
	sock = sender(sk);
	if (!sock)
		return PASS;
	if (ctx->msg_src_ip4) {
		count(SLUICE_REPLY_left_source_set);
		return PASS;
	}
	key = key_of(sock, sk);
	key_peer4(&key, ctx);
	outcome = source_for(sock, &key, &source);
	count(outcome);
	if (is_fixed(outcome))
		ctx->msg_src_ip4 = source.word_be[3];
	return PASS;
}

SEC("cgroup/sendmsg6")
int sluice_fix6(struct bpf_sock_addr *ctx)
{
	struct bpf_sock *sk = ctx->sk;
	struct sluice_addr source = {};
	enum sluice_reply_counter outcome;
	struct sluice_sock *sock;
	struct flow_key key;

	if (!sk || sk->src_ip6[0] | sk->src_ip6[1] | sk->src_ip6[2] | sk->src_ip6[3])
		return PASS;
	sock = sender(sk);
	if (!sock)
		return PASS;
	if (ctx->msg_src_ip6[0] | ctx->msg_src_ip6[1] | ctx->msg_src_ip6[2] | ctx->msg_src_ip6[3]) {
		count(SLUICE_REPLY_left_source_set);
		return PASS;
	}
	key = key_of(sock, sk);
	key_peer6(&key, ctx, sk);
	outcome = source_for(sock, &key, &source);
	count(outcome);
	if (!is_fixed(outcome))
		return PASS;
	ctx->msg_src_ip6[0] = source.word_be[0];
	ctx->msg_src_ip6[1] = source.word_be[1];
	ctx->msg_src_ip6[2] = source.word_be[2];
	ctx->msg_src_ip6[3] = source.word_be[3];
	return PASS;
}

SEC("cgroup_skb/egress")
int sluice_audit(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk;
	struct sluice_addr asked = {};
	enum sluice_reply_counter outcome;
	struct datagram datagram;
	struct sluice_sock *sock;
	struct flow_key key;

	if (!sk || !may_be_udp(skb) || !port_managed(sk->src_port))
		return PASS;
	if (!sock_is_wildcard(skb, sk)) {
		struct sluice_connect *connect = bpf_sk_storage_get(&sluice_connects, sk, NULL, 0);

		if (connect && datagram_parse(skb, &datagram))
			audit_connected(skb, connect, &datagram);
		return PASS;
	}
	sock = bpf_sk_storage_get(&sluice_socks, sk, NULL, 0);
	if (!sock || !sock_managed(sock) || !datagram_parse(skb, &datagram))
		return PASS;
	key = key_of(sock, sk);
	key.peer = datagram.target;
	key.peer_port_be = datagram.target_port_be;
	key.scope = addr_is_link_local(&key.peer) ? skb->ifindex : 0;
	outcome = source_for(sock, &key, &asked);
	if (!is_fixed(outcome))
		return PASS;
	key.peer_port_be = datagram.target_port_be;
	source_before_nat(skb, &datagram.source);
	if (outcome == SLUICE_REPLY_fixed)
		audit(&key, &asked, &datagram.source);
	else
		audit_other_port(&key, &asked, &datagram.source);
	return PASS;
}

SEC("cgroup/connect4")
int sluice_connect4(struct bpf_sock_addr *ctx)
{
	struct bpf_sock *sk = ctx->sk;
	struct flow_key key;

	if (ctx->protocol != IPPROTO_UDP || !sk || sk->src_ip4 || !may_answer(sk))
		return PASS;
	key = key_of_connect(ctx, sk);
	key_peer4(&key, ctx);
	audit_connect(&key, sk);
	return PASS;
}

SEC("cgroup/connect6")
int sluice_connect6(struct bpf_sock_addr *ctx)
{
	struct bpf_sock *sk = ctx->sk;
	struct flow_key key;

	if (ctx->protocol != IPPROTO_UDP || !sk ||
	    sk->src_ip6[0] | sk->src_ip6[1] | sk->src_ip6[2] | sk->src_ip6[3] || !may_answer(sk))
		return PASS;
	key = key_of_connect(ctx, sk);
	key_peer6(&key, ctx, sk);
	audit_connect(&key, sk);
	return PASS;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
