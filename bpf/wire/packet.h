/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/*
 * What the wire programs hear of a packet, and how they change it.  The checksum helpers of the
 * kernel know about checksum offload and segmentation offload.
 */
#ifndef SLUICE_BPF_WIRE_PACKET_H
#define SLUICE_BPF_WIRE_PACKET_H

#include "common/settings.h"
#include "wire/maps.h"

#include <linux/if_ether.h>
#include <linux/in.h>
#include <sluice/checksum.h>
#include <sluice/packet.h>
#include <stdbool.h>
#include <stddef.h>

/* The headers of an ICMP error and of what it quotes fit in. */
#define PULL_SIZE 512

/*
 * enum sluice_wire_role.  Given a value here, it stands among the small settings of flow_table.h
 * and not behind the ports: all that each packet asks for is in one cache line.
 */
const volatile __u32 role = 0;

/* The way of nearly all packets is to lie in one piece: most of what it costs is to fetch it. */
#define likely(condition)   __builtin_expect(!!(condition), 1)
#define unlikely(condition) __builtin_expect(!!(condition), 0)

/* What becomes of a datagram. */
struct change {
	struct sluice_addr to;
	__u32 end; /* enum sluice_wire_end */
	enum sluice_wire_counter outcome;
};

/* --- what a packet is */

enum heard_kind {
	HEARD_NOTHING, /* that we would have to do with */
	HEARD_DATAGRAM,
	HEARD_LATER_FRAGMENT,
	HEARD_ERROR, /* of ICMP, and the datagram that it quotes */
};

/* The ends of a datagram; of a later fragment the ports are 0. */
struct ends {
	struct sluice_addr source;
	struct sluice_addr target;
	__be16 source_port_be;
	__be16 target_port_be;
	__u32 l3_off;
	__u32 l4_off;
};

struct heard {
	struct ends outer;  /* of an error no ports */
	struct ends quoted; /* of an error only */
	__be32 fragment_id_be;
	__sum16 ip_check; /* of the outer header, if it is IPv4 */
	__u8 kind;	  /* enum heard_kind */
	__u8 version;
	__u8 fragment; /* enum packet_fragment */
	__u8 fragment_protocol;
};

static __always_inline void ends_of(struct ends *ends, const struct packet_ip *ip)
{
	ends->source = addr_of(&ip->saddr);
	ends->target = addr_of(&ip->daddr);
	ends->l3_off = ip->l3_off;
	ends->l4_off = ip->l4_off;
}

static __always_inline void ports_of(struct ends *ends, const struct packet_udp *udp)
{
	ends->source_port_be = udp->source_be;
	ends->target_port_be = udp->dest_be;
}

static __always_inline enum packet_verdict hear_error(struct packet_cursor *cursor,
						      const struct packet_ip *outer,
						      struct heard *heard)
{
	enum packet_verdict verdict;
	struct packet_icmp_error error;
	struct packet_ip ip;
	struct packet_udp udp;

	if (outer->fragment != PACKET_UNFRAGMENTED)
		return PACKET_NOT_ICMP_ERROR;
	verdict = packet_parse_icmp_error(cursor, outer, &error);
	if (verdict == PACKET_OK)
		verdict = packet_parse_ip(cursor, PACKET_QUOTED, &ip);
	if (verdict == PACKET_OK)
		verdict = packet_parse_udp(cursor, &ip, &udp);
	if (verdict != PACKET_OK)
		return verdict == PACKET_NO_L4 ? PACKET_NOT_UDP : verdict;
	if (ip.addresses_fixed)
		return PACKET_NOT_UDP;
	heard->kind = HEARD_ERROR;
	ends_of(&heard->quoted, &ip);
	ports_of(&heard->quoted, &udp);
	return PACKET_OK;
}

static __always_inline enum packet_verdict hear_datagram(struct packet_cursor *cursor,
							 const struct packet_ip *ip,
							 struct heard *heard)
{
	enum packet_verdict verdict;
	struct packet_udp udp;

	verdict = packet_parse_udp(cursor, ip, &udp);
	if (verdict == PACKET_OK) {
		heard->kind = HEARD_DATAGRAM;
		ports_of(&heard->outer, &udp);
	} else if (verdict == PACKET_NO_L4) {
		heard->kind = HEARD_LATER_FRAGMENT;
		verdict = PACKET_OK;
	}
	return verdict;
}

/* The test that lets TCP and the like pass early: the first protocol number of the IP header. */
static __always_inline bool may_concern_us(const struct packet_cursor *cursor)
{
	const struct packet_iphdr *ip4 = packet_at(cursor, cursor->off, sizeof(*ip4));
	__u8 protocol;

	if (!ip4)
		return true;
	if (*(const __u8 *)ip4 >> 4 == 4) {
		protocol = ip4->h.protocol;
		return protocol == IPPROTO_UDP || protocol == IPPROTO_ICMP;
	}
	protocol = ((const struct packet_ipv6hdr *)ip4)->h.nexthdr;
	return protocol != IPPROTO_TCP;
}

/* PACKET_OK also for what is none of our business: then heard->kind is HEARD_NOTHING. */
static __noinline int hear(struct __sk_buff *skb, struct heard *heard)
{
	struct packet_cursor cursor = packet_begin((void *)(long)skb->data,
						   (void *)(long)skb->data_end, skb->len,
						   role & SLUICE_WIRE_ETHERNET ? 0 : skb->protocol);
	enum packet_verdict verdict = PACKET_OK;
	struct packet_ip ip;

	if (role & SLUICE_WIRE_ETHERNET)
		verdict = packet_parse_eth(&cursor);
	if (verdict == PACKET_OK && !may_concern_us(&cursor))
		return PACKET_OK;
	if (verdict == PACKET_OK)
		verdict = packet_parse_ip(&cursor, PACKET_WHOLE, &ip);
	if (verdict != PACKET_OK)
		return verdict;
	ends_of(&heard->outer, &ip);
	heard->version = ip.version;
	heard->fragment = ip.fragment;
	heard->fragment_id_be = ip.fragment_id_be;
	heard->fragment_protocol = ip.version == 4 ? ip.protocol : 0;
	if (ip.protocol == (ip.version == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6))
		verdict = hear_error(&cursor, &ip, heard);
	else
		verdict = hear_datagram(&cursor, &ip, heard);
	if (verdict == PACKET_OK && ip.addresses_fixed) {
		heard->kind = HEARD_NOTHING;
		count(SLUICE_WIRE_skipped_signed);
	}
	return verdict;
}

/* Reads the headers, of which a part may lie outside the linear part of the packet. */
static __always_inline enum heard_kind packet_parse(struct __sk_buff *skb, struct heard *heard)
{
	int verdict;

	__builtin_memset(heard, 0, sizeof(*heard));
	verdict = hear(skb, heard);
	if (verdict == PACKET_TRUNCATED && skb->data_end - skb->data < skb->len) {
		__u32 size = skb->len < PULL_SIZE ? skb->len : PULL_SIZE;

		if (bpf_skb_pull_data(skb, size)) {
			count(SLUICE_WIRE_failed);
			return HEARD_NOTHING;
		}
		verdict = hear(skb, heard);
	}
	if (verdict == PACKET_OK) {
		/*
		 * hear() has read this header, so it is there.  Not done in hear(): were there a
		 * way back from there with *heard filled, the verifier of 5.10 would follow each
		 * way of filling it through the second hear() above.
		 */
		bpf_skb_load_bytes(skb, heard->outer.l3_off + offsetof(struct iphdr, check),
				   &heard->ip_check, sizeof(heard->ip_check));
		return heard->kind;
	}
	if (verdict != PACKET_NOT_IP && verdict != PACKET_NOT_UDP &&
	    verdict != PACKET_NOT_ICMP_ERROR)
		count(SLUICE_WIRE_skipped_header);
	return HEARD_NOTHING;
}

/* --- changing a packet */

/*
 * The checksum whose pseudo-header covers the addresses of the outer header.  BPF_F_MARK_MANGLED_0
 * leaves a field of 0 as it is, and makes one that becomes 0 be 0xffff.  With CHECKSUM_PARTIAL the
 * field holds the pseudo-header's sum and no checksum yet; but that sum is never 0, before or
 * after: it has the protocol in it, and what is not 0 does not fold to 0.  So 0 says "no checksum"
 * in either case, and the kernel or the device that completes the sum sees to the 0xffff itself.
 */
static __always_inline bool change_covering(struct __sk_buff *skb, const struct heard *heard,
					    __wsum difference)
{
	__u32 off = heard->outer.l4_off;
	__u64 flags = BPF_F_PSEUDO_HDR;

	if (likely(heard->kind == HEARD_DATAGRAM)) {
		off += offsetof(struct udphdr, check);
		flags |= BPF_F_MARK_MANGLED_0;
	} else if (heard->kind == HEARD_ERROR && heard->version == 6) {
		off += offsetof(struct icmp6hdr, icmp6_cksum);
	} else {
		return true;
	}
	return !bpf_l4_csum_replace(skb, off, 0, difference, flags);
}

/*
 * Checksum and addresses lie together, and so go in by one helper; what bpf_l3_csum_replace() does
 * with the checksum is no more than this.  With CHECKSUM_COMPLETE, the one makes up for the other.
 */
static __always_inline bool change_ip4(struct __sk_buff *skb, const struct heard *heard,
				       enum sluice_wire_end end, __be32 to)
{
	struct {
		__u16 gap;
		__sum16 check;
		__be32 saddr;
		__be32 daddr;
	} changed = { .saddr = heard->outer.source.word_be[3],
		      .daddr = heard->outer.target.word_be[3] };
	__wsum difference;

	if (end == SLUICE_WIRE_SOURCE) {
		difference = checksum_difference32(changed.saddr, to);
		changed.saddr = to;
	} else {
		difference = checksum_difference32(changed.daddr, to);
		changed.daddr = to;
	}
	changed.check = checksum_replace(heard->ip_check, difference);
	return change_covering(skb, heard, difference) &&
	       !bpf_skb_store_bytes(
		       skb, heard->outer.l3_off + offsetof(struct iphdr, check), &changed.check,
		       sizeof(changed) - offsetof(typeof(changed), check), BPF_F_INVALIDATE_HASH);
}

/*
 * With CHECKSUM_COMPLETE, bpf_l4_csum_replace() takes it for granted that the checksum of an IPv4
 * header makes up for the address, which IPv6 has not got: bpf_csum_update() puts that right
 * (BPF_F_IPV6 is for the same, but from 6.16 only).
 */
static __always_inline bool change_ip6(struct __sk_buff *skb, const struct heard *heard,
				       enum sluice_wire_end end, const struct sluice_addr *to)
{
	const struct sluice_addr *from = &heard->outer.target;
	__u32 at = offsetof(struct ipv6hdr, daddr);
	struct in6_addr before, after;
	__wsum difference;

	if (end == SLUICE_WIRE_SOURCE) {
		from = &heard->outer.source;
		at = offsetof(struct ipv6hdr, saddr);
	}
	__builtin_memcpy(&before, from, sizeof(before));
	__builtin_memcpy(&after, to, sizeof(after));
	difference = checksum_difference(&before, &after);
	if (!change_covering(skb, heard, difference))
		return false;
	bpf_csum_update(skb, difference);
	return !bpf_skb_store_bytes(skb, heard->outer.l3_off + at, to, sizeof(*to),
				    BPF_F_INVALIDATE_HASH);
}

/* Changes an address of the outer header, and the checksums that cover it. */
static __noinline bool change_address(struct __sk_buff *skb, const struct heard *heard,
				      enum sluice_wire_end end, const struct sluice_addr *to)
{
	if (heard->version == 4)
		return change_ip4(skb, heard, end, to->word_be[3]);
	return change_ip6(skb, heard, end, to);
}

/* A checksum inside the quoted packet; what changes with it goes into *change. */
static __always_inline bool change_quoted_check(struct __sk_buff *skb, __u32 off, __wsum difference,
						bool udp, __wsum *change)
{
	__sum16 before, after;

	if (bpf_skb_load_bytes(skb, off, &before, sizeof(before)))
		return false;
	after = udp ? checksum_replace_udp(before, difference)
		    : checksum_replace(before, difference);
	*change = checksum_fold((__u64)*change + checksum_difference16(before, after));
	return !bpf_skb_store_bytes(skb, off, &after, sizeof(after), 0);
}

/* Changes an address in the quoted packet, its own checksums, and the ICMP checksum over all. */
static __noinline bool change_quoted(struct __sk_buff *skb, const struct heard *heard,
				     enum sluice_wire_end end, const struct sluice_addr *to)
{
	const struct ends *quoted = &heard->quoted;
	const struct sluice_addr *from = end == SLUICE_WIRE_SOURCE ? &quoted->source
								   : &quoted->target;
	__u32 check_off = heard->outer.l4_off + offsetof(struct icmp6hdr, icmp6_cksum);
	struct in6_addr before, after;
	__wsum difference, change;
	bool done;

	__builtin_memcpy(&before, from, sizeof(before));
	__builtin_memcpy(&after, to, sizeof(after));
	change = difference = checksum_difference(&before, &after);
	done = change_quoted_check(skb, quoted->l4_off + offsetof(struct udphdr, check), difference,
				   true, &change);
	if (!done)
		return false;
	if (heard->version == 4)
		done = change_quoted_check(skb, quoted->l3_off + offsetof(struct iphdr, check),
					   difference, false, &change) &&
		       !bpf_skb_store_bytes(skb,
					    quoted->l3_off +
						    (end == SLUICE_WIRE_SOURCE
							     ? offsetof(struct iphdr, saddr)
							     : offsetof(struct iphdr, daddr)),
					    &to->word_be[3], sizeof(__be32), 0);
	else
		done = !bpf_skb_store_bytes(skb,
					    quoted->l3_off +
						    (end == SLUICE_WIRE_SOURCE
							     ? offsetof(struct ipv6hdr, saddr)
							     : offsetof(struct ipv6hdr, daddr)),
					    to, sizeof(*to), 0);
	return done && !bpf_l4_csum_replace(skb, check_off, 0, change, 0);
}

#endif
