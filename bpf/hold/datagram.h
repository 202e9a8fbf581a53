/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/*
 * Finds the UDP socket of a packet, and the key of its flow: the addresses and ports as the socket
 * sees them, before this host's NAT. The cgroup hooks run after netfilter, so NAT may already have
 * translated an outgoing packet; its conntrack entry then has the original addresses.
 */
#ifndef SLUICE_BPF_HOLD_DATAGRAM_H
#define SLUICE_BPF_HOLD_DATAGRAM_H

#include "common/addr.h"
#include "common/clock.h"
#include "common/ports.h"
#include "hold/maps.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/udp.h>
#include <sluice/packet.h>
#include <stdbool.h>
#include <stddef.h>

#define __core __attribute__((preserve_access_index))

/* Fields that the other objects do not read; libbpf ignores the suffix ___hold. */
union nf_conntrack_man_proto___hold {
	__be16 all;
} __core;

struct nf_conntrack_man___hold {
	union nf_inet_addr u3;
	union nf_conntrack_man_proto___hold u;
} __core;

struct nf_conntrack_tuple___hold {
	struct nf_conntrack_man___hold src;
	struct {
		union nf_inet_addr u3;
		union {
			__be16 all;
		} u;
	} dst;
} __core;

struct nf_conntrack_tuple_hash___hold {
	struct nf_conntrack_tuple___hold tuple;
} __core;

struct nf_conn___hold {
	struct nf_conntrack_tuple_hash___hold tuplehash[2];
	unsigned long status;
} __core;

#undef __core

/* include/uapi/linux/netfilter/nf_conntrack_common.h: IPS_SRC_NAT | IPS_DST_NAT */
#define NAT_MASK (1UL << 4 | 1UL << 5)

#define SOCK_DGRAM	 2 /* include/linux/net.h */
#define LOOPBACK_IFINDEX 1 /* include/net/net_namespace.h */

static __always_inline struct sk_buff *kernel_skb(struct __sk_buff *skb)
{
	return (struct sk_buff *)skb;
}

/*
 * Returns true if the packet may be a managed datagram, judging by the socket's port and by the
 * peer's port at the offset that it has without IP options and extension headers.
 */
static __always_inline bool may_be_managed(struct __sk_buff *skb, const struct bpf_sock *sk,
					   bool out)
{
	__u32 peers_port = out ? offsetof(struct udphdr, dest) : offsetof(struct udphdr, source);
	void *data = (void *)(long)skb->data, *data_end = (void *)(long)skb->data_end;
	__be16 *port_be;
	__u8 *header = data;

	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		struct iphdr *ip = data;

		if ((void *)(ip + 1) > data_end || ip->protocol != IPPROTO_UDP)
			return false;
		if (port_managed(sk->src_port) || (*header & 0xf) != 5)
			return true;
		port_be = (void *)(ip + 1) + peers_port;
	} else {
		struct ipv6hdr *ip = data;

		if ((void *)(ip + 1) > data_end || ip->nexthdr == IPPROTO_TCP ||
		    ip->nexthdr == IPPROTO_ICMPV6)
			return false;
		if (port_managed(sk->src_port) || ip->nexthdr != IPPROTO_UDP)
			return true;
		port_be = (void *)(ip + 1) + peers_port;
	}
	return (void *)(port_be + 1) > data_end || port_managed(bpf_ntohs(*port_be));
}

/* Returns the UDP socket of a packet that may be a managed datagram, or NULL. */
static __always_inline struct bpf_sock *sock_of(struct __sk_buff *skb, bool out)
{
	struct bpf_sock *sk = skb->sk;

	if (!sk || skb->ifindex == LOOPBACK_IFINDEX || !may_be_managed(skb, sk, out))
		return NULL;
	/*
	 * excludes raw sockets, which send the keepalives and receive copies of other sockets'
	 * packets
	 */
	sk = bpf_sk_fullsock(sk);
	return sk && sk->type == SOCK_DGRAM ? sk : NULL;
}

/*
 * Returns true if there can be a NAT between this host and the peer: not for a loopback, link-local
 * or multicast address, for example.
 */
static __always_inline bool may_have_nat(const struct sluice_addr *peer)
{
	__u32 ip4 = bpf_ntohl(peer->word_be[3]);

	if (addr_is_ip4(peer))
		return ip4 >> 24 && ip4 >> 24 != 127 && ip4 >> 24 < 224 && ip4 >> 16 != 0xa9fe;
	return (peer->half[0] | peer->half[1]) && !addr_is_link_local(peer) &&
	       (peer->word_be[0] & bpf_htonl(0xff000000)) != bpf_htonl(0xff000000);
}

static __always_inline void addr_of_tuple(struct sluice_addr *addr, const __u32 words[4], bool ip4)
{
	if (ip4)
		addr_map_ip4(addr, words[0]);
	else
		__builtin_memcpy(addr, words, sizeof(*addr));
}

/* Restores the addresses and ports that the socket used, if this host's NAT has changed them. */
static __always_inline void before_nat(struct __sk_buff *skb, struct sluice_hold_key *key)
{
	struct nf_conn___hold *ct = NULL;
	struct nf_conntrack_tuple___hold *tuple;
	bool ip4 = addr_is_ip4(&key->peer);
	unsigned long nfct;
	__u32 words[4];

	if (!bpf_core_field_exists(ct->tuplehash) ||
	    !bpf_core_field_exists(((struct sk_buff *)0)->_nfct))
		return;
	nfct = BPF_CORE_READ(kernel_skb(skb), _nfct);
	ct = (struct nf_conn___hold *)(nfct & ~NFCT_INFOMASK);
	if (!ct || !(BPF_CORE_READ(ct, status) & NAT_MASK))
		return;
	tuple = (nfct & NFCT_INFOMASK) >= IP_CT_IS_REPLY ? &ct->tuplehash[1].tuple
							 : &ct->tuplehash[0].tuple;
	BPF_CORE_READ_INTO(&words, tuple, src.u3.all);
	addr_of_tuple(&key->local, words, ip4);
	BPF_CORE_READ_INTO(&words, tuple, dst.u3.all);
	addr_of_tuple(&key->peer, words, ip4);
	key->local_port_be = BPF_CORE_READ(tuple, src.u.all);
	key->peer_port_be = BPF_CORE_READ(tuple, dst.u.all);
}

/*
 * Reads the key of the packet's flow. Returns false if the packet is not a managed datagram of the
 * socket.
 */
static __always_inline bool key_of(struct __sk_buff *skb, const struct bpf_sock *sk, bool out,
				   struct sluice_hold_key *key)
{
	struct packet_cursor cursor = packet_begin(
		(void *)(long)skb->data, (void *)(long)skb->data_end, skb->len, skb->protocol);
	enum packet_verdict verdict;
	struct packet_udp udp;
	struct packet_ip ip;

	verdict = packet_parse_ip(&cursor, PACKET_DELIVERED, &ip);
	if (verdict == PACKET_OK)
		verdict = packet_parse_udp(&cursor, &ip, &udp);
	if (verdict != PACKET_OK) {
		if (verdict != PACKET_NOT_UDP)
			count(SLUICE_HOLD_skipped_header);
		return false;
	}
	key->local = addr_of(out ? &ip.saddr : &ip.daddr);
	key->peer = addr_of(out ? &ip.daddr : &ip.saddr);
	key->local_port_be = out ? udp.source_be : udp.dest_be;
	key->peer_port_be = out ? udp.dest_be : udp.source_be;
	if (out)
		before_nat(skb, key);
	/*
	 * The port differs if the packet is ESP in UDP around the socket's datagram, or if the
	 * socket was closed while IPsec held the datagram back.
	 */
	if (bpf_ntohs(key->local_port_be) != sk->src_port)
		return false;
	return may_have_nat(&key->peer) && (port_managed(bpf_ntohs(key->local_port_be)) ||
					    port_managed(bpf_ntohs(key->peer_port_be)));
}

/*
 * Returns true if the datagram has this key. Returns false for IPv4 options, IPv6 extension
 * headers, and addresses that this host's NAT has changed; key_of() handles these cases.
 */
static __always_inline bool has_key(struct __sk_buff *skb, bool out,
				    const struct sluice_hold_key *key)
{
	const struct sluice_addr *from = out ? &key->local : &key->peer;
	const struct sluice_addr *to = out ? &key->peer : &key->local;
	__be16 from_port_be = out ? key->local_port_be : key->peer_port_be;
	__be16 to_port_be = out ? key->peer_port_be : key->local_port_be;
	void *data = (void *)(long)skb->data, *data_end = (void *)(long)skb->data_end;
	struct sluice_addr source, target;

	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		const struct {
			struct iphdr ip;
			struct udphdr udp;
		} *at = data;

		if ((void *)(at + 1) > data_end || *(__u8 *)data != 0x45 ||
		    at->udp.source != from_port_be || at->udp.dest != to_port_be)
			return false;
		addr_map_ip4(&source, at->ip.saddr);
		addr_map_ip4(&target, at->ip.daddr);
	} else {
		const struct {
			struct ipv6hdr ip;
			struct udphdr udp;
		} *at = data;

		if ((void *)(at + 1) > data_end || at->ip.nexthdr != IPPROTO_UDP ||
		    at->udp.source != from_port_be || at->udp.dest != to_port_be)
			return false;
		source = addr_of(&at->ip.saddr);
		target = addr_of(&at->ip.daddr);
	}
	return addr_equal(&source, from) && addr_equal(&target, to);
}

/* Returns the TTL or hop limit, or 0. */
static __always_inline __u8 ttl_of(struct __sk_buff *skb)
{
	__u32 off = skb->protocol == bpf_htons(ETH_P_IP) ? offsetof(struct iphdr, ttl)
							 : offsetof(struct ipv6hdr, hop_limit);
	__u8 *at = (void *)(long)skb->data + off;

	return (void *)(at + 1) <= (void *)(long)skb->data_end ? *at : 0;
}

#endif
