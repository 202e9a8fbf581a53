/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/*
 * Reads plain headers at constant offsets: no VLAN tag in the data, no options or extension
 * headers, no fragment, all linear. Nearly all packets are plain, and the full parser would be half
 * the cost of a program. All other packets go to the full parser, including malformed packets,
 * since it counts the reason.
 */
#ifndef SLUICE_BPF_WIRE_PARSE_PLAIN_H
#define SLUICE_BPF_WIRE_PARSE_PLAIN_H

#include "common/addr.h"
#include "wire/packet.h"

enum plain_verdict {
	PLAIN_NOT, /* possibly malformed: the full parser decides */
	PLAIN_TCP,
	PLAIN_DATAGRAM,
};

struct plain4 {
	struct iphdr ip;
	struct udphdr udp;
};

struct plain6 {
	struct ipv6hdr ip;
	struct udphdr udp;
};

/* The offset of the IP header. */
#define PLAIN_OFF (role & SLUICE_WIRE_ETHERNET ? sizeof(struct packet_ethhdr) : 0)

#define IP4_NO_OPTIONS	 0x45 /* version 4, header of five words */
#define IP4_ANY_FRAGMENT 0x3fff

/* Checks the UDP header. @size is the size of UDP header and payload according to the IP header. */
static __always_inline enum plain_verdict plain_datagram(const struct udphdr *udp, __u32 size,
							 __u32 l3_off, __u32 l4_off,
							 struct ends *ends)
{
	__u32 length = bpf_ntohs(udp->len);

	if (length < sizeof(*udp) || length > size)
		return PLAIN_NOT;
	ends->source_port_be = udp->source;
	ends->target_port_be = udp->dest;
	ends->l3_off = l3_off;
	ends->l4_off = l4_off;
	return PLAIN_DATAGRAM;
}

static __always_inline enum plain_verdict parse_plain4(struct __sk_buff *skb, __u32 off,
						       struct parsed *pkt)
{
	const struct plain4 *packet = (void *)(long)skb->data + off;
	__u32 length;

	if ((void *)(packet + 1) > (void *)(long)skb->data_end ||
	    *(const __u8 *)packet != IP4_NO_OPTIONS)
		return PLAIN_NOT;
	if (packet->ip.protocol == IPPROTO_TCP)
		return PLAIN_TCP;
	length = bpf_ntohs(packet->ip.tot_len);
	if (packet->ip.protocol != IPPROTO_UDP ||
	    packet->ip.frag_off & bpf_htons(IP4_ANY_FRAGMENT) || length < sizeof(*packet) ||
	    off + length > skb->len)
		return PLAIN_NOT;
	addr_map_ip4(&pkt->outer.source, packet->ip.saddr);
	addr_map_ip4(&pkt->outer.target, packet->ip.daddr);
	pkt->ip_check = packet->ip.check;
	pkt->version = 4;
	return plain_datagram(&packet->udp, length - sizeof(packet->ip), off,
			      off + sizeof(packet->ip), &pkt->outer);
}

static __always_inline enum plain_verdict parse_plain6(struct __sk_buff *skb, __u32 off,
						       struct parsed *pkt)
{
	const struct plain6 *packet = (void *)(long)skb->data + off;
	__u32 length;

	if ((void *)(packet + 1) > (void *)(long)skb->data_end || *(const __u8 *)packet >> 4 != 6)
		return PLAIN_NOT;
	if (packet->ip.nexthdr == IPPROTO_TCP)
		return PLAIN_TCP;
	length = bpf_ntohs(packet->ip.payload_len);
	if (packet->ip.nexthdr != IPPROTO_UDP || length < sizeof(packet->udp) ||
	    off + sizeof(packet->ip) + length > skb->len)
		return PLAIN_NOT;
	__builtin_memcpy(&pkt->outer.source, &packet->ip.saddr, sizeof(struct sluice_addr));
	__builtin_memcpy(&pkt->outer.target, &packet->ip.daddr, sizeof(struct sluice_addr));
	pkt->ip_check = 0;
	pkt->version = 6;
	return plain_datagram(&packet->udp, length, off, off + sizeof(packet->ip), &pkt->outer);
}

static __always_inline enum plain_verdict parse_plain(struct __sk_buff *skb, struct parsed *pkt)
{
	enum plain_verdict verdict = PLAIN_NOT;
	__be16 protocol_be = skb->protocol;
	__u32 off = 0;

	if (role & SLUICE_WIRE_ETHERNET) {
		const struct packet_ethhdr *eth = (void *)(long)skb->data;

		if ((void *)(eth + 1) > (void *)(long)skb->data_end)
			return PLAIN_NOT;
		protocol_be = eth->proto_be;
		off = sizeof(*eth);
	}
	if (protocol_be == bpf_htons(ETH_P_IP))
		verdict = parse_plain4(skb, off, pkt);
	else if (protocol_be == bpf_htons(ETH_P_IPV6))
		verdict = parse_plain6(skb, off, pkt);
	pkt->kind = PARSED_DATAGRAM;
	pkt->unfragmented = true;
	return verdict;
}

/* Parses a packet, on the fast path if its headers are plain. */
static __always_inline enum parsed_kind packet_parse(struct __sk_buff *skb, struct parsed *pkt)
{
	enum plain_verdict verdict = parse_plain(skb, pkt);

	if (unlikely(verdict == PLAIN_NOT))
		return packet_parse_slow(skb, pkt);
	return verdict == PLAIN_DATAGRAM ? PARSED_DATAGRAM : PARSED_NOTHING;
}

#endif
