/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/*
 * Parses a packet, and rewrites its addresses. The kernel's checksum helpers handle checksum
 * offload and segmentation offload.
 */
#ifndef SLUICE_BPF_WIRE_PACKET_H
#define SLUICE_BPF_WIRE_PACKET_H

#include "common/addr.h"
#include "common/settings.h"
#include "wire/maps.h"

#include <linux/if_ether.h>
#include <linux/in.h>
#include <sluice/checksum.h>
#include <sluice/packet.h>
#include <stdbool.h>
#include <stddef.h>

/* Large enough for the headers of an ICMP error and of the quoted datagram. */
#define PULL_SIZE 512

/*
 * enum sluice_wire_role. The initializer places it among the small settings of settings.h and not
 * behind the ports, so that each packet reads one cache line of settings.
 */
const volatile __u32 role = 0;

/* Keep the path of nearly all packets contiguous: instruction fetch is most of their cost. */
#define likely(condition)   __builtin_expect(!!(condition), 1)
#define unlikely(condition) __builtin_expect(!!(condition), 0)

/* The decision about a datagram. */
struct change {
	struct sluice_addr to;
	__u32 end; /* enum sluice_wire_end */
	enum sluice_wire_counter outcome;
};

/* --- parse */

enum parsed_kind {
	PARSED_NOTHING, /* mode wire does not handle the packet */
	PARSED_DATAGRAM,
	PARSED_LATER_FRAGMENT,
	PARSED_ERROR, /* an ICMP error that quotes a UDP datagram */
};

/* Addresses and ports of a datagram; a later fragment has no ports (0). */
struct ends {
	struct sluice_addr source;
	struct sluice_addr target;
	__be16 source_port_be;
	__be16 target_port_be;
	__u32 l3_off;
	__u32 l4_off;
};

struct parsed {
	struct ends outer;  /* no ports if the packet is an ICMP error */
	struct ends quoted; /* set only for an ICMP error */
	__be32 fragment_id_be;
	__sum16 ip_check; /* of the outer IPv4 header */
	__u8 kind;	  /* enum parsed_kind */
	__u8 version;
	bool refusal; /* the ICMP error reports that the port has no socket */
	/*
	 * The negation `fragmented` would be 0 for most packets, and the verifier would follow a
	 * constant 0 separately.
	 */
	bool unfragmented;
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

static __always_inline enum packet_verdict parse_error(struct packet_cursor *cursor,
						       const struct packet_ip *outer,
						       struct parsed *pkt)
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
	pkt->kind = PARSED_ERROR;
	pkt->refusal = outer->version == 4 ? error.type == PACKET_ICMP_DEST_UNREACH &&
						     error.code == PACKET_ICMP_PORT_UNREACH
					   : error.type == ICMPV6_DEST_UNREACH &&
						     error.code == ICMPV6_PORT_UNREACH;
	ends_of(&pkt->quoted, &ip);
	ports_of(&pkt->quoted, &udp);
	return PACKET_OK;
}

static __always_inline enum packet_verdict parse_datagram(struct packet_cursor *cursor,
							  const struct packet_ip *ip,
							  struct parsed *pkt)
{
	enum packet_verdict verdict;
	struct packet_udp udp;

	verdict = packet_parse_udp(cursor, ip, &udp);
	if (verdict == PACKET_OK) {
		pkt->kind = PARSED_DATAGRAM;
		ports_of(&pkt->outer, &udp);
	} else if (verdict == PACKET_NO_L4) {
		pkt->kind = PARSED_LATER_FRAGMENT;
		verdict = PACKET_OK;
	}
	return verdict;
}

/*
 * Returns false for TCP and most other protocols that mode wire ignores, by the protocol number of
 * the IP header.
 */
static __always_inline bool may_be_handled(const struct packet_cursor *cursor)
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

/*
 * Reloads the packet pointers. The verifier tracks for each pointer how much of the packet is
 * readable, and would otherwise follow the rest of the program once for each length of the parsed
 * headers.
 */
static __always_inline void cursor_renew(struct packet_cursor *cursor, struct __sk_buff *skb)
{
	cursor->data = (void *)(long)*(volatile __u32 *)&skb->data;
	cursor->data_end = (void *)(long)*(volatile __u32 *)&skb->data_end;
}

/* Also returns PACKET_OK for packets to ignore, with pkt->kind PARSED_NOTHING. */
static __noinline int parse(struct __sk_buff *skb, struct parsed *pkt)
{
	struct packet_cursor cursor = packet_begin((void *)(long)skb->data,
						   (void *)(long)skb->data_end, skb->len,
						   role & SLUICE_WIRE_ETHERNET ? 0 : skb->protocol);
	enum packet_verdict verdict = PACKET_OK;
	struct packet_ip ip;

	if (role & SLUICE_WIRE_ETHERNET)
		verdict = packet_parse_eth(&cursor);
	cursor_renew(&cursor, skb);
	if (verdict == PACKET_OK && !may_be_handled(&cursor))
		return PACKET_OK;
	if (verdict == PACKET_OK)
		verdict = packet_parse_ip(&cursor, PACKET_WHOLE, &ip);
	if (verdict != PACKET_OK)
		return verdict;
	ends_of(&pkt->outer, &ip);
	pkt->version = ip.version;
	pkt->unfragmented = packet_equal(ip.fragment, PACKET_UNFRAGMENTED);
	pkt->fragment_id_be = ip.fragment_id_be;
	cursor_renew(&cursor, skb);
	if (ip.protocol == (ip.version == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6))
		verdict = parse_error(&cursor, &ip, pkt);
	else
		verdict = parse_datagram(&cursor, &ip, pkt);
	if (verdict == PACKET_OK && ip.addresses_fixed) {
		pkt->kind = PARSED_NOTHING;
		count(SLUICE_WIRE_skipped_signed);
	}
	return verdict;
}

/*
 * Makes the verifier forget the contents of *pkt: a helper copies it onto itself. Otherwise, the
 * verifier would follow the rest of the program once for each kind of header.
 */
static __always_inline void parsed_forget(struct parsed *pkt)
{
	bpf_probe_read_kernel(pkt, sizeof(*pkt), pkt);
}

/* Parses all kinds of headers, and pulls them into the linear part if needed. */
static __always_inline enum parsed_kind packet_parse_slow(struct __sk_buff *skb, struct parsed *pkt)
{
	int verdict;
	__u64 pulled;

	/* a single call in a loop, so that the verifier follows parse() once */
	for (pulled = 0;; pulled++) {
		__u32 size = skb->len < PULL_SIZE ? skb->len : PULL_SIZE;

		asm volatile("" : "+r"(pulled));
		__builtin_memset(pkt, 0, sizeof(*pkt));
		parsed_forget(pkt);
		verdict = parse(skb, pkt);
		if (verdict != PACKET_TRUNCATED || pulled || skb->data_end - skb->data >= skb->len)
			break;
		if (bpf_skb_pull_data(skb, size)) {
			count(SLUICE_WIRE_failed);
			return PARSED_NOTHING;
		}
	}
	if (verdict == PACKET_OK) {
		/*
		 * parse() has read this header, so the load cannot fail. The load is not in
		 * parse(): if parse() could fail after it has set *pkt, the verifier of 5.10 would
		 * follow each of these paths through the second iteration above.
		 */
		bpf_skb_load_bytes(skb, pkt->outer.l3_off + offsetof(struct iphdr, check),
				   &pkt->ip_check, sizeof(pkt->ip_check));
		parsed_forget(pkt);
		return pkt->kind;
	}
	if (verdict != PACKET_NOT_IP && verdict != PACKET_NOT_UDP &&
	    verdict != PACKET_NOT_ICMP_ERROR)
		count(SLUICE_WIRE_skipped_header);
	return PARSED_NOTHING;
}

/* --- rewrite */

/*
 * Updates the checksum whose pseudo-header covers the outer addresses. BPF_F_MARK_MANGLED_0 keeps a
 * field of 0, and stores 0xffff instead of a new 0. With CHECKSUM_PARTIAL the field holds only the
 * sum of the pseudo-header, which is 0 neither before nor after the change: it includes the
 * protocol, and a non-zero sum does not fold to 0. So 0 always means "no checksum", and the kernel
 * or device that completes the sum handles 0xffff itself.
 */
static __always_inline bool change_covering(struct __sk_buff *skb, const struct parsed *pkt,
					    __wsum difference)
{
	__u32 off = pkt->outer.l4_off;
	__u64 flags = BPF_F_PSEUDO_HDR;

	if (likely(pkt->kind == PARSED_DATAGRAM)) {
		off += offsetof(struct udphdr, check);
		flags |= BPF_F_MARK_MANGLED_0;
	} else if (pkt->kind == PARSED_ERROR && pkt->version == 6) {
		off += offsetof(struct icmp6hdr, icmp6_cksum);
	} else {
		return true;
	}
	return !bpf_l4_csum_replace(skb, off, 0, difference, flags);
}

/*
 * Checksum and addresses are adjacent, so one helper call stores both, without
 * bpf_l3_csum_replace(). With CHECKSUM_COMPLETE, the two changes cancel out.
 */
static __always_inline bool change_ip4(struct __sk_buff *skb, const struct parsed *pkt,
				       enum sluice_wire_end end, __be32 to)
{
	struct {
		__u16 gap;
		__sum16 check;
		__be32 saddr;
		__be32 daddr;
	} changed = { .saddr = pkt->outer.source.word_be[3],
		      .daddr = pkt->outer.target.word_be[3] };
	__wsum difference;

	if (end == SLUICE_WIRE_SOURCE) {
		difference = checksum_difference32(changed.saddr, to);
		changed.saddr = to;
	} else {
		difference = checksum_difference32(changed.daddr, to);
		changed.daddr = to;
	}
	changed.check = checksum_replace(pkt->ip_check, difference);
	return change_covering(skb, pkt, difference) &&
	       !bpf_skb_store_bytes(
		       skb, pkt->outer.l3_off + offsetof(struct iphdr, check), &changed.check,
		       sizeof(changed) - offsetof(typeof(changed), check), BPF_F_INVALIDATE_HASH);
}

/*
 * With CHECKSUM_COMPLETE, bpf_l4_csum_replace() assumes an IPv4 header, whose checksum cancels out
 * the address change. IPv6 has no such checksum: bpf_csum_update() corrects the sum (BPF_F_IPV6
 * does the same, but only since 6.16).
 */
static __always_inline bool change_ip6(struct __sk_buff *skb, const struct parsed *pkt,
				       enum sluice_wire_end end, const struct sluice_addr *to)
{
	const struct sluice_addr *from = &pkt->outer.target;
	__u32 at = offsetof(struct ipv6hdr, daddr);
	struct in6_addr before, after;
	__wsum difference;

	if (end == SLUICE_WIRE_SOURCE) {
		from = &pkt->outer.source;
		at = offsetof(struct ipv6hdr, saddr);
	}
	__builtin_memcpy(&before, from, sizeof(before));
	__builtin_memcpy(&after, to, sizeof(after));
	difference = checksum_difference(&before, &after);
	if (!change_covering(skb, pkt, difference))
		return false;
	bpf_csum_update(skb, difference);
	return !bpf_skb_store_bytes(skb, pkt->outer.l3_off + at, to, sizeof(*to),
				    BPF_F_INVALIDATE_HASH);
}

/* Rewrites an address of the outer header, and the checksums that cover it. */
static __noinline bool change_address(struct __sk_buff *skb, const struct parsed *pkt,
				      enum sluice_wire_end end, const struct sluice_addr *to)
{
	if (pkt->version == 4)
		return change_ip4(skb, pkt, end, to->word_be[3]);
	return change_ip6(skb, pkt, end, to);
}

/* Updates a checksum of the quoted packet, and adds its own difference to *change. */
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

/* Rewrites an address of the quoted packet, its checksums, and the outer ICMP checksum. */
static __noinline bool change_quoted(struct __sk_buff *skb, const struct parsed *pkt,
				     enum sluice_wire_end end, const struct sluice_addr *to)
{
	const struct ends *quoted = &pkt->quoted;
	const struct sluice_addr *from = end == SLUICE_WIRE_SOURCE ? &quoted->source
								   : &quoted->target;
	__u32 check_off = pkt->outer.l4_off + offsetof(struct icmp6hdr, icmp6_cksum);
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
	if (pkt->version == 4)
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
