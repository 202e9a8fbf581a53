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
#include "common/kernel.h"
#include "common/settings.h"
#include "reply/flows.h"
#include "reply/local_addr.h"
#include "reply/maps.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <sluice/packet.h>
#include <stdbool.h>
#include <stddef.h>

#define PASS 1

const volatile bool process_known; /* programs on connect(2) can identify the calling process */

/* The addresses and ports of a datagram's IP and UDP headers. */
struct datagram {
	struct sluice_addr source;
	struct sluice_addr target;
	__be16 source_port_be;
	__be16 target_port_be;
};

/* Excludes TCP and ICMP cheaply, by the first protocol number of the IP header. */
static __always_inline bool may_be_udp(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data, *data_end = (void *)(long)skb->data_end;

	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		struct iphdr *ip = data;

		return (void *)(ip + 1) <= data_end && ip->protocol == IPPROTO_UDP;
	} else {
		struct ipv6hdr *ip = data;

		return (void *)(ip + 1) <= data_end && ip->nexthdr != IPPROTO_TCP &&
		       ip->nexthdr != IPPROTO_ICMPV6;
	}
}

/* Returns false if it is not UDP; counts malformed headers. */
static __always_inline bool datagram_parse(struct __sk_buff *skb, struct datagram *datagram)
{
	struct packet_cursor cursor = packet_begin(
		(void *)(long)skb->data, (void *)(long)skb->data_end, skb->len, skb->protocol);
	enum packet_verdict verdict;
	struct packet_ip ip;
	struct packet_udp udp;

	verdict = packet_parse_ip(&cursor, PACKET_DELIVERED, &ip);
	if (verdict == PACKET_OK)
		verdict = packet_parse_udp(&cursor, &ip, &udp);
	if (verdict != PACKET_OK) {
		if (verdict != PACKET_NOT_UDP)
			count(SLUICE_REPLY_skipped_header);
		return false;
	}
	datagram->source = addr_of(&ip.saddr);
	datagram->target = addr_of(&ip.daddr);
	datagram->source_port_be = udp.source_be;
	datagram->target_port_be = udp.dest_be;
	return true;
}

/* Is the socket bound to the wildcard address of the datagram's family? */
static __always_inline bool sock_is_wildcard(struct __sk_buff *skb, const struct bpf_sock *sk)
{
	if (skb->protocol == bpf_htons(ETH_P_IP))
		return !sk->src_ip4;
	return !(sk->src_ip6[0] | sk->src_ip6[1] | sk->src_ip6[2] | sk->src_ip6[3]);
}

/*
 * Returns the kernel's sk_buff of the context, for slow paths. These read the socket through it,
 * since the verifier allows no arithmetic on skb->sk.
 */
static __always_inline struct sk_buff *kernel_skb(struct __sk_buff *skb)
{
	return (struct sk_buff *)skb;
}

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

static __always_inline void learn(struct __sk_buff *skb, const struct sluice_sock *sock,
				  const struct datagram *datagram)
{
	struct flow_key key = {
		.cookie = sock->cookie,
		.peer = datagram->source,
		.peer_port_be = datagram->source_port_be,
	};
	struct sluice_flow flow = {
		.cookie = key.cookie,
		.peer = key.peer,
		.local = datagram->target,
		.peer_port_be = key.peer_port_be,
		.ifindex = skb->ifindex,
		.netns = sock->netns,
	};
	bool ip4 = addr_is_ip4(&flow.local);
	struct sluice_flow_set *set;
	__u32 now = clock();

	flow_key_hash(&key);
	set = flow_set(&key);
	if (!set || flow_refresh(set, &key, &flow, now))
		return;
	flow.generation = local_addr_generation(sock->net, ip4);
	if (local_addr_usable(sock, &flow.local, ip4, flow.generation))
		count(flow_store(set, &key, &flow, now));
	else
		count(SLUICE_REPLY_skipped_not_own);
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
		learn(skb, sock, &datagram);
	return PASS;
}

/*
 * Finds the requested address. Returns SLUICE_REPLY_fixed if a reply can leave from it, or else the
 * counter for the reason to leave the reply alone.
 */
static __always_inline enum sluice_reply_counter source_for(const struct sluice_sock *sock,
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
	if (flow.flags & SLUICE_FLOW_SCOPE_AMBIGUOUS)
		return SLUICE_REPLY_left_scope;
	generation = local_addr_generation(sock->net, ip4);
	if (flow.generation != generation) {
		if (!local_addr_usable(sock, &flow.local, ip4, generation))
			return SLUICE_REPLY_left_address_gone;
		flow_confirm(set, key, &flow, generation);
	}
	*source = flow.local;
	return SLUICE_REPLY_fixed;
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

SEC("cgroup/sendmsg4")
int sluice_fix4(struct bpf_sock_addr *ctx)
{
	struct bpf_sock *sk = ctx->sk;
	struct flow_key key = {};
	struct sluice_addr source = {};
	enum sluice_reply_counter outcome;
	struct sluice_sock *sock;

	if (!sk || sk->src_ip4)
		return PASS;
	sock = sender(sk);
	if (!sock)
		return PASS;
	if (ctx->msg_src_ip4) {
		count(SLUICE_REPLY_left_source_set);
		return PASS;
	}
	key.cookie = sock->cookie;
	addr_map_ip4(&key.peer, ctx->user_ip4);
	key.peer_port_be = ctx->user_port;
	outcome = source_for(sock, &key, &source);
	count(outcome);
	if (outcome == SLUICE_REPLY_fixed)
		ctx->msg_src_ip4 = source.word_be[3];
	return PASS;
}

SEC("cgroup/sendmsg6")
int sluice_fix6(struct bpf_sock_addr *ctx)
{
	struct bpf_sock *sk = ctx->sk;
	struct flow_key key = {};
	struct sluice_addr source = {};
	enum sluice_reply_counter outcome;
	struct sluice_sock *sock;

	if (!sk || sk->src_ip6[0] | sk->src_ip6[1] | sk->src_ip6[2] | sk->src_ip6[3])
		return PASS;
	sock = sender(sk);
	if (!sock)
		return PASS;
	if (ctx->msg_src_ip6[0] | ctx->msg_src_ip6[1] | ctx->msg_src_ip6[2] | ctx->msg_src_ip6[3]) {
		count(SLUICE_REPLY_left_source_set);
		return PASS;
	}
	key.cookie = sock->cookie;
	key.peer.word_be[0] = ctx->user_ip6[0];
	key.peer.word_be[1] = ctx->user_ip6[1];
	key.peer.word_be[2] = ctx->user_ip6[2];
	key.peer.word_be[3] = ctx->user_ip6[3];
	key.peer_port_be = ctx->user_port;
	outcome = source_for(sock, &key, &source);
	count(outcome);
	if (outcome != SLUICE_REPLY_fixed)
		return PASS;
	ctx->msg_src_ip6[0] = source.word_be[0];
	ctx->msg_src_ip6[1] = source.word_be[1];
	ctx->msg_src_ip6[2] = source.word_be[2];
	ctx->msg_src_ip6[3] = source.word_be[3];
	return PASS;
}

/*
 * Restores the source that the socket set. This hook runs after netfilter, where NAT may have
 * changed it; conntrack's tuple of the packet's direction has the original.
 */
static __always_inline void source_before_nat(struct __sk_buff *skb, struct sluice_addr *source)
{
	unsigned long nfct;
	struct nf_conn *ct = NULL;
	__u32 words[4];

	if (!bpf_core_field_exists(ct->tuplehash) ||
	    !bpf_core_field_exists(((struct sk_buff *)0)->_nfct))
		return;
	nfct = BPF_CORE_READ(kernel_skb(skb), _nfct);
	ct = (struct nf_conn *)(nfct & ~NFCT_INFOMASK);
	if (!ct)
		return;
	if ((nfct & NFCT_INFOMASK) >= IP_CT_IS_REPLY)
		BPF_CORE_READ_INTO(&words, ct, tuplehash[1].tuple.src.u3.all);
	else
		BPF_CORE_READ_INTO(&words, ct, tuplehash[0].tuple.src.u3.all);
	if (addr_is_ip4(source))
		addr_map_ip4(source, words[0]);
	else
		__builtin_memcpy(source, words, sizeof(*source));
}

static __always_inline struct sluice_audit *tally_of(const struct sluice_sock *sock, __u16 port)
{
	struct sluice_audit fresh = { .port = port, .netns = sock->netns };
	struct sluice_audit *tally = bpf_map_lookup_elem(&sluice_audits, &sock->cookie);

	if (tally)
		return tally;
	bpf_map_update_elem(&sluice_audits, &sock->cookie, &fresh, BPF_NOEXIST);
	return bpf_map_lookup_elem(&sluice_audits, &sock->cookie);
}

static __always_inline void audit(const struct sluice_sock *sock, __u16 port,
				  const struct flow_key *key, const struct sluice_addr *asked,
				  const struct sluice_addr *used)
{
	struct sluice_audit *tally = tally_of(sock, port);
	bool right = addr_equal(used, asked);

	if (!tally)
		return;
	count(right ? SLUICE_REPLY_audit_right : SLUICE_REPLY_audit_wrong);
	if (right) {
		__sync_fetch_and_add(&tally->right, 1);
		return;
	}
	__sync_fetch_and_add(&tally->wrong, 1);
	tally->wrong_ns = clock_ns();
	tally->peer = key->peer;
	tally->asked = *asked;
	tally->used = *used;
	tally->peer_port_be = key->peer_port_be;
}

/* Checks the source of a datagram to the peer that the socket has connected to. */
static __always_inline void audit_connected(struct __sk_buff *skb, const struct sluice_sock *sock,
					    struct datagram *datagram)
{
	struct sluice_audit *tally = bpf_map_lookup_elem(&sluice_audits, &sock->cookie);
	bool right;

	if (!tally || !tally->connects || tally->connect_port_be != datagram->target_port_be ||
	    !addr_equal(&tally->connect_peer, &datagram->target))
		return;
	source_before_nat(skb, &datagram->source);
	right = addr_equal(&tally->connect_asked, &datagram->source);
	count(right ? SLUICE_REPLY_audit_right : SLUICE_REPLY_audit_wrong);
	__sync_fetch_and_add(right ? &tally->connect_right : &tally->connect_wrong, 1);
	tally->connect_used = datagram->source;
}

SEC("cgroup_skb/egress")
int sluice_audit(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk;
	struct flow_key key = {};
	struct sluice_addr asked = {};
	struct datagram datagram;
	struct sluice_sock *sock;

	if (!sk || !may_be_udp(skb) || !port_managed(sk->src_port))
		return PASS;
	/* a socket bound to an address has no storage, unless it has connected */
	sock = bpf_sk_storage_get(&sluice_socks, sk, NULL, 0);
	if (!sock || !sock_managed(sock) || !datagram_parse(skb, &datagram))
		return PASS;
	if (!sock_is_wildcard(skb, sk)) {
		audit_connected(skb, sock, &datagram);
		return PASS;
	}
	key.cookie = sock->cookie;
	key.peer = datagram.target;
	key.peer_port_be = datagram.target_port_be;
	if (source_for(sock, &key, &asked) != SLUICE_REPLY_fixed)
		return PASS;
	source_before_nat(skb, &datagram.source);
	audit(sock, sk->src_port, &key, &asked, &datagram.source);
	return PASS;
}

static __always_inline void audit_connect(const struct sluice_sock *sock, __u16 port,
					  struct flow_key *key)
{
	struct sluice_flow_set *set;
	struct sluice_audit *tally;
	struct flow_view flow;

	flow_key_hash(key);
	set = flow_set(key);
	if (!set || !flow_read(set, key, &flow))
		return;
	tally = tally_of(sock, port);
	if (!tally)
		return;
	count(SLUICE_REPLY_audit_connect);
	__sync_fetch_and_add(&tally->connects, 1);
	tally->connect_peer = key->peer;
	tally->connect_port_be = key->peer_port_be;
	tally->connect_asked = flow.local;
	tally->connect_used = (struct sluice_addr){};
	if (!process_known)
		return;
	tally->pid = bpf_get_current_pid_tgid() >> 32;
	bpf_get_current_comm(tally->comm, sizeof(tally->comm));
}

SEC("cgroup/connect4")
int sluice_connect4(struct bpf_sock_addr *ctx)
{
	struct bpf_sock *sk = ctx->sk;
	struct flow_key key = {};
	struct sluice_sock *sock;

	if (ctx->protocol != IPPROTO_UDP || !sk || sk->src_ip4)
		return PASS;
	sock = sender(sk);
	if (!sock)
		return PASS;
	key.cookie = sock->cookie;
	addr_map_ip4(&key.peer, ctx->user_ip4);
	key.peer_port_be = ctx->user_port;
	audit_connect(sock, sk->src_port, &key);
	return PASS;
}

SEC("cgroup/connect6")
int sluice_connect6(struct bpf_sock_addr *ctx)
{
	struct bpf_sock *sk = ctx->sk;
	struct flow_key key = {};
	struct sluice_sock *sock;

	if (ctx->protocol != IPPROTO_UDP || !sk ||
	    sk->src_ip6[0] | sk->src_ip6[1] | sk->src_ip6[2] | sk->src_ip6[3])
		return PASS;
	sock = sender(sk);
	if (!sock)
		return PASS;
	key.cookie = sock->cookie;
	key.peer.word_be[0] = ctx->user_ip6[0];
	key.peer.word_be[1] = ctx->user_ip6[1];
	key.peer.word_be[2] = ctx->user_ip6[2];
	key.peer.word_be[3] = ctx->user_ip6[3];
	key.peer_port_be = ctx->user_port;
	audit_connect(sock, sk->src_port, &key);
	return PASS;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
