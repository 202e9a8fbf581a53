/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/*
 * Parses the datagrams that the XDP program can answer: Ethernet with up to two VLAN tags, IPv4
 * without options or IPv6 without extension headers, unfragmented UDP.
 */
#ifndef SLUICE_BPF_MEET_DATAGRAM_H
#define SLUICE_BPF_MEET_DATAGRAM_H

#include "common/addr.h"

#include <sluice/checksum.h>
#include <sluice/packet.h>
#include <sluice/stun_binding.h>
#include <stdbool.h>

#define IP4_WORDS 5
#define IP6_WORDS 10
#define UDP_WORDS 2

struct datagram {
	struct sluice_addr source;
	struct sluice_addr target;
	__be16 source_port_be;
	__be16 target_port_be;
	__be16 check_be;
	__be16 length_be; /* length in the UDP header */
	__u32 l3_off;
	__u32 payload_off;
	__u32 payload_len;
	bool ip4;
};

static __always_inline __u64 words_sum(const __be32 *word_be, __u32 count)
{
	__u64 sum = 0;
	__u32 i;

	for (i = 0; i < count; i++)
		sum += word_be[i];
	return sum;
}

struct ip4_words {
	__be32 word_be[IP4_WORDS];
} PACKET_UNALIGNED;

/* Parses the IPv4 header, and verifies its checksum. */
static __always_inline bool parse_ip4(const struct packet_cursor *cursor, struct datagram *datagram)
{
	const struct packet_iphdr *ip = packet_at(cursor, datagram->l3_off, sizeof(*ip));
	__u32 total;

	if (!ip || *(const __u8 *)ip != 0x45 || ip->h.protocol != IPPROTO_UDP)
		return false;
	total = PACKET_BE16(ip->h.tot_len);
	/* no fragment: the offset and the more-fragments flag are 0 */
	if (ip->h.frag_off & PACKET_BE16(0x3fff) || datagram->l3_off + total > cursor->len ||
	    checksum_fold(words_sum(((const struct ip4_words *)ip)->word_be, IP4_WORDS)) != 0xffff)
		return false;
	addr_map_ip4(&datagram->source, ip->h.saddr);
	addr_map_ip4(&datagram->target, ip->h.daddr);
	datagram->payload_len = total - sizeof(struct iphdr) - sizeof(struct udphdr);
	datagram->payload_off = datagram->l3_off + sizeof(struct iphdr) + sizeof(struct udphdr);
	datagram->ip4 = true;
	return total > sizeof(struct iphdr) + sizeof(struct udphdr);
}

static __always_inline bool parse_ip6(const struct packet_cursor *cursor, struct datagram *datagram)
{
	const struct packet_ipv6hdr *ip = packet_at(cursor, datagram->l3_off, sizeof(*ip));
	__u32 length;

	if (!ip || *(const __u8 *)ip >> 4 != 6 || ip->h.nexthdr != IPPROTO_UDP)
		return false;
	length = PACKET_BE16(ip->h.payload_len);
	if (datagram->l3_off + sizeof(*ip) + length > cursor->len)
		return false;
	datagram->source = addr_of(&ip->h.saddr);
	datagram->target = addr_of(&ip->h.daddr);
	datagram->payload_len = length - sizeof(struct udphdr);
	datagram->payload_off = datagram->l3_off + sizeof(*ip) + sizeof(struct udphdr);
	datagram->ip4 = false;
	/* a v4-mapped target would match an IPv4 address of the server */
	return length > sizeof(struct udphdr) && datagram->target.half[0];
}

/*
 * Returns true if the packet is a datagram with the magic cookie of STUN. This check rejects nearly
 * all other traffic of an interface before the first map lookup.
 */
static __always_inline bool datagram_parse(struct packet_cursor *cursor, struct datagram *datagram)
{
	const struct packet_udphdr *udp;
	const struct sluice_stun_header *stun;
	const struct packet_ethhdr *eth = packet_at(cursor, 0, sizeof(*eth));

	/* the program neither answers a multicast frame nor sends one */
	if (!eth || (eth->addrs[0] | eth->addrs[ETH_ALEN]) & 1 ||
	    packet_parse_eth(cursor) != PACKET_OK)
		return false;
	datagram->l3_off = cursor->off;
	if (cursor->proto_be == PACKET_BE16(ETH_P_IP) ? !parse_ip4(cursor, datagram)
						      : !parse_ip6(cursor, datagram))
		return false;
	udp = packet_at(cursor, datagram->payload_off - sizeof(*udp), sizeof(*udp));
	stun = packet_at(cursor, datagram->payload_off, sizeof(*stun));
	if (!udp || !stun || stun->cookie_be != PACKET_BE32(SLUICE_STUN_COOKIE) ||
	    PACKET_BE16(udp->h.len) != datagram->payload_len + sizeof(*udp))
		return false;
	datagram->source_port_be = udp->h.source;
	datagram->target_port_be = udp->h.dest;
	datagram->check_be = udp->h.check;
	datagram->length_be = udp->h.len;
	return true;
}

/*
 * Returns true if the source can receive an answer. The stack drops datagrams from all other
 * addresses, or would send the answer elsewhere. An IPv6 source must not look like a v4-mapped
 * address.
 */
static __always_inline bool source_is_valid(const struct datagram *datagram)
{
	const struct sluice_addr *source = &datagram->source;
	__u8 first = datagram->ip4 ? source->byte[12] : source->byte[0];

	if (!datagram->source_port_be || addr_equal(source, &datagram->target))
		return false;
	/* excluded: 0/8, 127/8, and 224/3 (multicast and reserved); in IPv6 ::/64 and multicast */
	return datagram->ip4 ? first && first != 127 && first < 224
			     : source->half[0] && first != 0xff;
}

static __always_inline __u64 addresses_sum(const struct datagram *datagram)
{
	/* the prefix of each v4-mapped address adds 0xffff, which is zero in ones' complement */
	return words_sum(datagram->source.word_be, 4) + words_sum(datagram->target.word_be, 4);
}

/*
 * Returns true if the UDP checksum of a datagram with an ordinary payload is correct. With
 * @open_ok, also accepts a checksum that is not computed yet and holds the sum of the
 * pseudo-header: a local container sends such datagrams through a veth, so they have not crossed a
 * wire.
 */
static __always_inline bool checksum_is_right(const struct packet_cursor *cursor,
					      const struct datagram *datagram, bool open_ok)
{
	__u32 i, off = datagram->payload_off, end = off + datagram->payload_len;
	/* the sum of the pseudo-header */
	__u64 sum = addresses_sum(datagram) + PACKET_BE16(IPPROTO_UDP) + datagram->length_be;

	/* no checksum: allowed in IPv4 (RFC 768), but not in IPv6 (RFC 8200, section 8.1) */
	if (!datagram->check_be)
		return datagram->ip4;
	if (open_ok && datagram->check_be == checksum_fold(sum))
		return true;
	sum += datagram->source_port_be + datagram->target_port_be + datagram->length_be +
	       datagram->check_be;
	for (i = 0; i < SLUICE_STUN_ORDINARY_MAX / 4 && off < end; i++, off += 4) {
		const struct sluice_stun_word *word = packet_at(cursor, off, sizeof(*word));

		if (!word)
			return false;
		sum += word->word_be;
	}
	return checksum_fold(sum) == 0xffff;
}

#endif
