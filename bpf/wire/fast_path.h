/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/*
 * The headers that nearly all packets have, read at constant offsets: no VLAN tag in the data, no
 * options or extension headers, no fragment, all of it linear.  Half of what a program costs was
 * the parser, which can do everything; what is not plain is still the parser's, and so is all that
 * looks wrong, for it to say what.
 */
#ifndef SLUICE_BPF_WIRE_FAST_PATH_H
#define SLUICE_BPF_WIRE_FAST_PATH_H

#include "wire/packet.h"

enum plain_verdict {
	PLAIN_NOT, /* or not right: a case for the parser */
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

#define IP4_NO_OPTIONS	 0x45 /* version 4, header of five words */
#define IP4_ANY_FRAGMENT 0x3fff

/* `size` is that of UDP header and payload, as IP has it. */
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

static __always_inline enum plain_verdict hear_plain4(struct __sk_buff *skb, __u32 off,
						      struct heard *heard)
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
	addr_map_ip4(&heard->outer.source, packet->ip.saddr);
	addr_map_ip4(&heard->outer.target, packet->ip.daddr);
	heard->ip_check = packet->ip.check;
	heard->version = 4;
	heard->fragment_protocol = IPPROTO_UDP;
	return plain_datagram(&packet->udp, length - sizeof(packet->ip), off,
			      off + sizeof(packet->ip), &heard->outer);
}

static __always_inline enum plain_verdict hear_plain6(struct __sk_buff *skb, __u32 off,
						      struct heard *heard)
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
	__builtin_memcpy(&heard->outer.source, &packet->ip.saddr, sizeof(struct sluice_addr));
	__builtin_memcpy(&heard->outer.target, &packet->ip.daddr, sizeof(struct sluice_addr));
	heard->ip_check = 0;
	heard->version = 6;
	return plain_datagram(&packet->udp, length, off, off + sizeof(packet->ip), &heard->outer);
}

static __always_inline enum plain_verdict hear_plain(struct __sk_buff *skb, struct heard *heard)
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
		verdict = hear_plain4(skb, off, heard);
	else if (protocol_be == bpf_htons(ETH_P_IPV6))
		verdict = hear_plain6(skb, off, heard);
	heard->kind = HEARD_DATAGRAM;
	heard->fragment = PACKET_UNFRAGMENTED;
	return verdict;
}

/* What the packet is, by the short way where there is one. */
static __always_inline enum heard_kind packet_hear(struct __sk_buff *skb, struct heard *heard)
{
	enum plain_verdict verdict = hear_plain(skb, heard);

	if (unlikely(verdict == PLAIN_NOT))
		return packet_parse(skb, heard);
	return verdict == PLAIN_DATAGRAM ? HEARD_DATAGRAM : HEARD_NOTHING;
}

#endif
