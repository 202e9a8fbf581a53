// SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause)
/*
 * Object reply, mode socket: a reply leaves from the address to which the peer sent its request.
 *
 * sluice_learn runs when the socket receives a datagram (after netfilter, so after DNAT) and stores
 * the local address for (socket, peer). sluice_fix4 and sluice_fix6 run before the route lookup of
 * a send, and so before conntrack, and set the source unless the application has set it. In mode
 * audit, sluice_audit replaces the fixes and only counts wrong sources. sluice_connect4 and
 * sluice_connect6 record servers that connect to their clients. The fixes do not cover these
 * servers: a connected socket has a fixed source, and receives no datagrams to other addresses. The
 * source is known only when the socket sends; sluice_audit then compares it with the requested
 * address.
 *
 * A send with a source that is not local fails, so the fixes first check that the source is local
 * (reply/usable_addr.h). When in doubt, a program passes the datagram unchanged.
 */
#include "common/addr.h"
#include "common/kernel.h"
#include "reply/audit.h"
#include "reply/datagram.h"
#include "reply/learn.h"
#include "reply/managed.h"
#include "reply/maps.h"
#include "reply/source.h"

#include <linux/in.h>
#include <stdbool.h>

#define PASS 1

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
	if (source_is_set(ctx->msg_src_ip4))
		return PASS;
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
	if (source_is_set(ctx->msg_src_ip6[0] | ctx->msg_src_ip6[1] | ctx->msg_src_ip6[2] |
			  ctx->msg_src_ip6[3]))
		return PASS;
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
