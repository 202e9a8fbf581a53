/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/*
 * Parses the datagrams of the reply programs, and inspects the sockets that receive or send them.
 */
#ifndef SLUICE_BPF_REPLY_DATAGRAM_H
#define SLUICE_BPF_REPLY_DATAGRAM_H

#include "common/addr.h"
#include "common/kernel.h"
#include "common/ticks.h"
#include "reply/maps.h"

#include <bpf/bpf_endian.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/in.h>
#include <sluice/packet.h>
#include <stdbool.h>

/* The addresses and ports of a datagram's IP and UDP headers. */
struct datagram {
	struct sluice_addr source;
	struct sluice_addr target;
	__be16 source_port_be;
	__be16 target_port_be;
};

/* Returns false for TCP and ICMP, by the protocol number of the IP header. */
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

/* Returns false for other protocols, and for malformed headers, which it also counts. */
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

/* Returns true if the socket is bound to the wildcard address of the datagram's family. */
static __always_inline bool sock_is_wildcard(struct __sk_buff *skb, const struct bpf_sock *sk)
{
	if (skb->protocol == bpf_htons(ETH_P_IP))
		return !sk->src_ip4;
	return !(sk->src_ip6[0] | sk->src_ip6[1] | sk->src_ip6[2] | sk->src_ip6[3]);
}

/*
 * Returns the kernel's sk_buff behind the context. Slow paths read the socket through it, since the
 * verifier allows no arithmetic on skb->sk.
 */
static __always_inline struct sk_buff *kernel_skb(struct __sk_buff *skb)
{
	return (struct sk_buff *)skb;
}

/* Returns true for a multicast or broadcast address, which is never a valid source. */
static __always_inline bool addr_is_group(const struct sluice_addr *addr)
{
	if (addr_is_ip4(addr)) /* 224.0.0.0/4; a broadcast address of a subnet is not known here */
		return (addr->byte[12] & 0xf0) == 0xe0 || addr->word_be[3] == 0xffffffff;
	return addr->byte[0] == 0xff;
}

static __always_inline bool addr_is_loopback4(const struct sluice_addr *addr)
{
	return addr_is_ip4(addr) && addr->byte[12] == 127;
}

/* Returns true if the datagram was sent to several hosts. */
static __always_inline bool is_group(const struct __sk_buff *skb, const struct datagram *datagram)
{
	return skb->pkt_type == PACKET_BROADCAST || skb->pkt_type == PACKET_MULTICAST ||
	       addr_is_group(&datagram->target);
}

#endif
