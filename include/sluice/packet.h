/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/*
 * Packet parser for the BPF programs; a user-space build tests and fuzzes the same code.
 *
 * One cursor moves from the outer header to the inner:
 *
 *	packet_parse_eth -> packet_parse_ip -> packet_parse_udp
 *	                                    -> packet_parse_icmp_error
 *	packet_parse_icmp_error -> packet_parse_ip (PACKET_QUOTED) -> packet_parse_udp
 *
 * RETURN CONTRACT of all packet_parse_* functions: PACKET_OK means that the header at cursor->off
 * was complete and consistent, *out is set, and the cursor is after that header. Any other verdict
 * names the reason and leaves the cursor and *out unchanged. No byte outside [data, data_end) is
 * ever read.
 *
 * Length fields are checked against cursor->len, the length of the packet. data_end is only the end
 * of an skb's linear part, so PACKET_TRUNCATED may mean that a header is present but not linear. If
 * skb->len exceeds data_end - data, a tc program can call bpf_skb_pull_data() and parse again with
 * a new cursor.
 *
 * The code must pass the verifier of 5.10, which loses the bounds of a scalar that the compiler
 * spills to the stack. Therefore packet_at() bounds the offset at each access, and hides the offset
 * from the compiler, which would otherwise drop a comparison whose result it can prove. Rejected:
 * bpf_skb_load_bytes (a call and a copy for each header, and not available for XDP), and struct
 * iphdr pointers returned to the caller (their range is lost at the first helper that may change
 * the packet).
 *
 * User-space code that needs <netinet/in.h> must include it before this file (linux/libc-compat.h).
 */
#ifndef SLUICE_PACKET_H
#define SLUICE_PACKET_H

#include <linux/icmpv6.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/types.h>
#include <linux/udp.h>

#define PACKET_INLINE static inline __attribute__((always_inline))

/*
 * Convert between host and network order. <asm/byteorder.h> would use x86 assembly, even for BPF.
 */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define PACKET_BE16(value) ((__u16)__builtin_bswap16((__u16)(value)))
#define PACKET_BE32(value) ((__u32)__builtin_bswap32((__u32)(value)))
#else
#define PACKET_BE16(value) ((__u16)(value))
#define PACKET_BE32(value) ((__u32)(value))
#endif

/* Network headers may be unaligned. The user-space compiler needs the attribute. For BPF, the
 * attribute would split a load into byte loads, although the kernel allows unaligned loads wherever
 * the CPU supports them.
 */
#ifdef __bpf__
#define PACKET_UNALIGNED
#else
#define PACKET_UNALIGNED __attribute__((packed, may_alias))
#endif

#define PACKET_VLAN_TAGS_MAX  2
#define PACKET_EXTENSIONS_MAX 8

/* The largest offset at which a header is read: far beyond any legitimate chain of headers, and far
 * below 0xffff, the verifier's limit for a packet pointer. Extension headers must end earlier, to
 * leave room for an ICMP header, a quoted IP header and a UDP header.
 */
#define PACKET_OFF_MAX	 0xfffU
#define PACKET_CHAIN_MAX 0xf00U

/* RFC 791 and RFC 8200, 4.5: the largest payload of a reassembled packet. */
#define PACKET_PAYLOAD_MAX 0xffffU

/* The ICMP errors of RFC 792, except redirect and source quench (RFC 6633). These are defined here,
 * since <linux/icmp.h> includes <sys/socket.h>.
 */
#define PACKET_ICMP_DEST_UNREACH  3
#define PACKET_ICMP_PORT_UNREACH  3 /* a code of DEST_UNREACH */
#define PACKET_ICMP_TIME_EXCEEDED 11
#define PACKET_ICMP_PARAMETERPROB 12

enum packet_verdict {
	PACKET_OK = 0,
	/* neither IPv4 nor IPv6, by EtherType or by IP version */
	PACKET_NOT_IP,
	/* another L4 protocol */
	PACKET_NOT_UDP,
	/* not ICMP or ICMPv6, or a message that is not an error and quotes no packet */
	PACKET_NOT_ICMP_ERROR,
	/* a later fragment: its first bytes are not an L4 header */
	PACKET_NO_L4,
	/* the data ends before the header, or before the IP length */
	PACKET_TRUNCATED,
	/* EtherType, IP version, header length and total length contradict each other */
	PACKET_LYING,
	/* an extension header exceeds the packet, or is not allowed at its position */
	PACKET_LYING_EXTENSION,
	/* a fragment that ends beyond 65535 bytes */
	PACKET_LYING_FRAGMENT,
	/* UDP length below 8, or beyond the IP payload */
	PACKET_LYING_UDP,
	/* RFC 2675: length 0 in IPv6 or in UDP over it; also IPv4's total length 0 (BIG TCP) */
	PACKET_JUMBO,
	/* too many VLAN tags, or too many or too long extension headers */
	PACKET_TOO_DEEP,
	/* the number of verdicts */
	PACKET_VERDICTS,
};

enum packet_mode {
	/* the packet must have all bytes of the IP length */
	PACKET_WHOLE,
	/*
	 * delivered to a UDP socket: the kernel has cut off bytes after the UDP length (the surplus
	 * of RFC 9868)
	 */
	PACKET_DELIVERED,
	/* quoted by an ICMP error: only the headers and 8 bytes of L4 are guaranteed */
	PACKET_QUOTED,
};

enum packet_fragment {
	/* or an IPv6 atomic fragment, RFC 6946 */
	PACKET_UNFRAGMENTED,
	/* has the L4 header */
	PACKET_FIRST_FRAGMENT,
	/* has no L4 header */
	PACKET_LATER_FRAGMENT,
};

/* The position in a packet. Offsets and lengths are bytes from data. */
struct packet_cursor {
	void *data;
	void *data_end;	 /* end of the bytes that can be read directly */
	__u32 off;	 /* the next header; at most len */
	__u32 len;	 /* end of the packet; packet_parse_ip() cuts bytes after the IP packet */
	__be16 proto_be; /* EtherType of the next header; 0: unknown, the IP version decides */
};

struct packet_ip {
	struct in6_addr saddr; /* IPv4 as ::ffff:a.b.c.d */
	struct in6_addr daddr; /* in the IP header, even if a routing header has segments left */
	__be32 fragment_id_be; /* 0 without a fragment header; in IPv4, the 16-bit identification */
	__u32 total_len;       /* length of the packet, according to the IP header */
	__u32 l3_off;	       /* offset of the IP header */
	__u32 l4_off;	       /* offset after the last extension header; may be beyond data_end */
	__u16 fragment_off;    /* offset in the fragmentable part, in bytes */
	__u8 version;	       /* 4 or 6 */
	__u8 protocol;	     /* IPPROTO_*; of a later IPv6 fragment, the next header of its fragment
				header */
	__u8 fragment;	     /* enum packet_fragment */
	__u8 more_fragments; /* 0 or 1 */
	__u8 addresses_fixed; /* 1: signed by an AH or used by a routing header; do not rewrite */
	__u8 pad;
};

struct packet_udp {
	__be16 source_be;
	__be16 dest_be;
	__be16 check_be;
	__u16 len; /* header and payload; in a first fragment, of the whole datagram */
};

struct packet_icmp_error {
	__u32 inner_off; /* offset of the quoted IP header */
	__u8 type;
	__u8 code;
	__u16 pad;
};

/* Replaces struct ethhdr, whose packed attribute makes clang load the EtherType in two bytes. */
struct packet_ethhdr {
	__u8 addrs[2 * ETH_ALEN];
	__be16 proto_be;
} PACKET_UNALIGNED;

struct packet_vlan {
	__be16 tci_be;
	__be16 proto_be;
} PACKET_UNALIGNED;

struct packet_iphdr {
	struct iphdr h;
} PACKET_UNALIGNED;

struct packet_ipv6hdr {
	struct ipv6hdr h;
} PACKET_UNALIGNED;

struct packet_udphdr {
	struct udphdr h;
} PACKET_UNALIGNED;

/* The first 8 bytes of each supported IPv6 extension header. */
struct packet_extension {
	__u8 next;
	__u8 size;	       /* in the header's own unit, see packet_extension_size() */
	__be16 detail_be;      /* fragment header: offset and flag; routing: type, segments left */
	__be32 fragment_id_be; /* fragment header */
} PACKET_UNALIGNED;

/* The state of the walk over extension headers. It has no boolean flags, since the verifier would
 * follow two paths for each of them.
 */
struct packet_chain {
	__u64 allowed; /* bit n: protocol n may follow and is an extension header */
	__u32 off;
	__u32 end;	    /* end of the packet, according to the IP header */
	__u32 fragment_len; /* length of the data after the fragment header */
	__be32 fragment_id_be;
	__u32 fragment_bits; /* offset and more-fragments, host order */
	__u32 fixing;	     /* not 0: see addresses_fixed */
	__u8 protocol;
};

/*
 * Returns a cursor at the first byte of [data, data_end). @len is the packet's length from @data
 * on, at least data_end - data: skb->len if there is an skb. @proto_be is skb->protocol if @data
 * starts at the network header, and 0 if @data starts at the Ethernet header or the protocol is
 * unknown.
 */
PACKET_INLINE struct packet_cursor packet_begin(void *data, void *data_end, __u32 len,
						__be16 proto_be)
{
	struct packet_cursor cursor = {
		.data = data,
		.data_end = data_end,
		.len = len,
		.proto_be = proto_be,
	};

	return cursor;
}

/* Returns a pointer to @size bytes at @off, or NULL if they exceed data_end or PACKET_OFF_MAX. */
PACKET_INLINE void *packet_at(const struct packet_cursor *cursor, __u32 off, __u32 size)
{
	unsigned long bounded = off;
	__u8 *header;

	if (!__builtin_constant_p(off))
		asm volatile("" : "+r"(bounded));
	if (bounded > PACKET_OFF_MAX)
		return 0;
	header = (__u8 *)cursor->data + bounded;
	/* the verifier assigns the range to this register, so the comparison must use it */
	if (!__builtin_constant_p(off))
		asm volatile("" : "+r"(header));
	if (header + size > (__u8 *)cursor->data_end)
		return 0;
	/* a packet pointer is never NULL; this saves each caller a second comparison */
	if (!header)
		__builtin_unreachable();
	return header;
}

/*
 * Returns a == b as 0 or 1 without the branch that clang would emit for BPF: a branch in a loop can
 * double the verifier's paths with each iteration.
 */
PACKET_INLINE __u32 packet_equal(__u8 a, __u8 b)
{
	__u32 below = (__u32)(a ^ b) - 1;

	asm volatile("" : "+r"(below));
	return below >> 31;
}

/*
 * Returns @off and makes the verifier forget its bounds. Two identical XORs leave the value
 * unchanged, but all paths to this point then have the same state, so the verifier checks the rest
 * once, not once for each sum of header lengths. packet_at() bounds the offset again.
 */
PACKET_INLINE __u32 packet_forget(const struct packet_cursor *cursor, __u32 off)
{
	off ^= cursor->len;
	asm volatile("" : "+r"(off));
	off ^= cursor->len;
	asm volatile("" : "+r"(off));
	return off;
}

PACKET_INLINE int packet_is_vlan(__be16 proto_be)
{
	return proto_be == PACKET_BE16(ETH_P_8021Q) || proto_be == PACKET_BE16(ETH_P_8021AD);
}

/*
 * Parses Ethernet II with up to two VLAN tags in the frame (accelerated VLAN tags are not in the
 * frame). Leaves the cursor at the IP header and its EtherType in cursor->proto_be. Returns
 * PACKET_OK, PACKET_NOT_IP, PACKET_TRUNCATED, PACKET_TOO_DEEP.
 */
PACKET_INLINE enum packet_verdict packet_parse_eth(struct packet_cursor *cursor)
{
	const struct packet_ethhdr *eth = packet_at(cursor, cursor->off, sizeof(*eth));
	__u32 off = cursor->off + sizeof(*eth);
	const struct packet_vlan *vlan;
	__be16 proto_be;
	int tags;

	if (!eth)
		return PACKET_TRUNCATED;
	proto_be = eth->proto_be;
	for (tags = 0; packet_is_vlan(proto_be); tags++) {
		if (tags == PACKET_VLAN_TAGS_MAX)
			return PACKET_TOO_DEEP;
		vlan = packet_at(cursor, off, sizeof(*vlan));
		if (!vlan)
			return PACKET_TRUNCATED;
		proto_be = vlan->proto_be;
		off += sizeof(*vlan);
	}
	if (proto_be != PACKET_BE16(ETH_P_IP) && proto_be != PACKET_BE16(ETH_P_IPV6))
		return PACKET_NOT_IP;
	cursor->off = packet_forget(cursor, off);
	cursor->proto_be = proto_be;
	return PACKET_OK;
}

/* Returns enum packet_fragment, without a branch: see packet_equal(). */
PACKET_INLINE __u8 packet_fragment_of(__u32 fragment_off, __u32 more_fragments)
{
	__u32 later = 0U - fragment_off;

	asm volatile("" : "+r"(later));
	later >>= 31;
	return later * PACKET_LATER_FRAGMENT + (more_fragments & ~later) * PACKET_FIRST_FRAGMENT;
}

PACKET_INLINE struct in6_addr packet_map_ipv4(__be32 addr_be)
{
	struct in6_addr mapped = {};

	mapped.s6_addr32[2] = PACKET_BE32(0xffff);
	mapped.s6_addr32[3] = addr_be;
	return mapped;
}

/* Parses IPv4 (RFC 791). Cuts bytes after the total length (Ethernet padding) from the cursor. */
PACKET_INLINE enum packet_verdict packet_parse_ipv4(struct packet_cursor *cursor,
						    enum packet_mode mode,
						    const struct packet_iphdr *header,
						    struct packet_ip *ip)
{
	const __u32 off = cursor->off;
	__u32 total_len, header_len, fragment_off, more_fragments;

	header_len = (*(const __u8 *)header & 0xf) * 4;
	total_len = PACKET_BE16(header->h.tot_len);
	if (total_len == 0)
		return PACKET_JUMBO;
	if (header_len < sizeof(*header) || total_len < header_len)
		return PACKET_LYING;
	if (off + (mode == PACKET_WHOLE ? total_len : header_len) > cursor->len)
		return PACKET_TRUNCATED;
	more_fragments = PACKET_BE16(header->h.frag_off) >> 13 & 1;
	fragment_off = (PACKET_BE16(header->h.frag_off) & 0x1fff) * 8;
	if (fragment_off + total_len - header_len > PACKET_PAYLOAD_MAX)
		return PACKET_LYING_FRAGMENT;

	ip->saddr = packet_map_ipv4(header->h.saddr);
	ip->daddr = packet_map_ipv4(header->h.daddr);
	ip->fragment_id_be = header->h.id;
	ip->total_len = total_len;
	ip->l3_off = off;
	ip->l4_off = packet_forget(cursor, off + header_len);
	ip->fragment_off = fragment_off;
	ip->version = 4;
	ip->protocol = header->h.protocol;
	ip->fragment = packet_fragment_of(fragment_off, more_fragments);
	ip->more_fragments = more_fragments;
	ip->addresses_fixed = packet_equal(header->h.protocol, IPPROTO_AH);
	ip->pad = 0;
	cursor->off = ip->l4_off;
	if (cursor->len > off + total_len)
		cursor->len = off + total_len;
	return PACKET_OK;
}

/* Returns the size in bytes: RFC 8200, 4.3 and 4.5, and RFC 4302, 2.2, which counts in words. */
PACKET_INLINE __u32 packet_extension_size(__u8 protocol, __u8 size)
{
	const __u32 fragment = packet_equal(protocol, IPPROTO_FRAGMENT);
	const __u32 ah = packet_equal(protocol, IPPROTO_AH);

	return ((size & (fragment - 1)) + 1 + ah) << (3 - ah);
}

/*
 * Adds the header of type chain->protocol at chain->off to the chain. Only one fragment header is
 * allowed, and only data follows the fragment header of a later fragment.
 */
PACKET_INLINE void packet_note_extension(struct packet_chain *chain,
					 const struct packet_extension *header)
{
	const __u32 detail = PACKET_BE16(header->detail_be);
	const __u32 fragment = packet_equal(chain->protocol, IPPROTO_FRAGMENT);
	const __u32 fragment_mask = 0U - fragment;

	chain->fixing |= packet_equal(chain->protocol, IPPROTO_AH);
	chain->fixing |= detail & 0xff & (0U - packet_equal(chain->protocol, IPPROTO_ROUTING));
	chain->fragment_bits |= detail & fragment_mask;
	chain->fragment_id_be |= header->fragment_id_be & fragment_mask;
	chain->fragment_len |= (chain->end - chain->off - sizeof(*header)) & fragment_mask;
	chain->allowed &= ~((__u64)fragment << IPPROTO_FRAGMENT);
}

/* Returns true if the next header is an extension header that is allowed at this position. */
PACKET_INLINE int packet_is_extension(const struct packet_chain *chain)
{
	return chain->protocol < 64 && (chain->allowed >> chain->protocol & 1) &&
	       chain->fragment_bits < 8;
}

/* Parses the extension header at chain->off. */
PACKET_INLINE enum packet_verdict packet_parse_extension(const struct packet_cursor *cursor,
							 struct packet_chain *chain)
{
	const struct packet_extension *header = packet_at(cursor, chain->off, sizeof(*header));
	__u32 next = chain->off + sizeof(*header);

	if (!header || next > cursor->len)
		return next > chain->end ? PACKET_LYING_EXTENSION : PACKET_TRUNCATED;
	next = chain->off + packet_extension_size(chain->protocol, header->size);
	if (next > chain->end)
		return PACKET_LYING_EXTENSION;
	if (next > cursor->len)
		return PACKET_TRUNCATED;
	if (next > PACKET_CHAIN_MAX)
		return PACKET_TOO_DEEP;
	packet_note_extension(chain, header);
	chain->protocol = header->next;
	chain->off = packet_forget(cursor, next);
	/* RFC 8200, 4.1: hop-by-hop options are allowed only right after the IPv6 header */
	chain->allowed &= ~(1ULL << IPPROTO_HOPOPTS);
	return PACKET_OK;
}

/* Checks the state after the walk over the extension headers. */
PACKET_INLINE enum packet_verdict packet_check_chain(const struct packet_chain *chain)
{
	if (chain->fragment_bits >= 8) {
		if ((chain->fragment_bits & 0xfff8) + chain->fragment_len > PACKET_PAYLOAD_MAX)
			return PACKET_LYING_FRAGMENT;
		return PACKET_OK;
	}
	if (packet_is_extension(chain))
		return PACKET_TOO_DEEP;
	if (chain->protocol == IPPROTO_HOPOPTS || chain->protocol == IPPROTO_FRAGMENT)
		return PACKET_LYING_EXTENSION;
	return PACKET_OK;
}

/* Walks up to the L4 header, or past the fragment header of a later fragment. */
PACKET_INLINE enum packet_verdict packet_walk_extensions(const struct packet_cursor *cursor,
							 struct packet_chain *chain)
{
	enum packet_verdict verdict;
	__u64 nth;

	chain->allowed = 1ULL << IPPROTO_HOPOPTS | 1ULL << IPPROTO_ROUTING |
			 1ULL << IPPROTO_FRAGMENT | 1ULL << IPPROTO_AH | 1ULL << IPPROTO_DSTOPTS;
	for (nth = 0; nth < PACKET_EXTENSIONS_MAX && packet_is_extension(chain); nth++) {
		/* Keeps the counter 64 bits wide: kernel 5.10 loses the bounds of a narrower
		 * counter when it is spilled, and then reports an infinite loop.
		 */
		asm volatile("" : "+r"(nth));
		verdict = packet_parse_extension(cursor, chain);
		if (verdict != PACKET_OK)
			return verdict;
	}
	return packet_check_chain(chain);
}

/* Parses IPv6 (RFC 8200). Cuts bytes after the payload length from the cursor. */
PACKET_INLINE enum packet_verdict packet_parse_ipv6(struct packet_cursor *cursor,
						    enum packet_mode mode, struct packet_ip *ip)
{
	const __u32 off = cursor->off;
	const struct packet_ipv6hdr *header = packet_at(cursor, off, sizeof(*header));
	struct packet_chain chain = {};
	enum packet_verdict verdict;

	if (!header || off + sizeof(*header) > cursor->len)
		return PACKET_TRUNCATED;
	chain.protocol = header->h.nexthdr;
	chain.off = packet_forget(cursor, off + sizeof(*header));
	chain.end = chain.off + PACKET_BE16(header->h.payload_len);
	if (!header->h.payload_len && chain.protocol == IPPROTO_HOPOPTS)
		return PACKET_JUMBO;
	if (mode == PACKET_WHOLE && chain.end > cursor->len)
		return PACKET_TRUNCATED;
	verdict = packet_walk_extensions(cursor, &chain);
	if (verdict != PACKET_OK)
		return verdict;

	ip->saddr = header->h.saddr;
	ip->daddr = header->h.daddr;
	ip->fragment_id_be = chain.fragment_id_be;
	ip->total_len = chain.end - off;
	ip->l3_off = off;
	ip->l4_off = chain.off;
	ip->fragment_off = chain.fragment_bits & 0xfff8;
	ip->version = 6;
	ip->protocol = chain.protocol;
	ip->fragment = packet_fragment_of(ip->fragment_off, chain.fragment_bits & 1);
	ip->more_fragments = chain.fragment_bits & 1;
	ip->addresses_fixed = !!chain.fixing;
	ip->pad = 0;
	cursor->off = chain.off;
	if (cursor->len > chain.end)
		cursor->len = chain.end;
	return PACKET_OK;
}

/*
 * Parses IPv4, or IPv6 with its extension headers; cursor->proto_be and the version must agree.
 * Leaves the cursor at the L4 header (after the IP headers of a later fragment), and cursor->len at
 * the end of the IP packet. Returns PACKET_OK, PACKET_NOT_IP, PACKET_TRUNCATED, PACKET_LYING,
 * PACKET_LYING_EXTENSION, PACKET_LYING_FRAGMENT, PACKET_JUMBO, PACKET_TOO_DEEP.
 */
PACKET_INLINE enum packet_verdict packet_parse_ip(struct packet_cursor *cursor,
						  enum packet_mode mode, struct packet_ip *ip)
{
	const __be16 proto_be = cursor->proto_be;
	const struct packet_iphdr *header;
	__u8 version;

	if (proto_be && proto_be != PACKET_BE16(ETH_P_IP) && proto_be != PACKET_BE16(ETH_P_IPV6))
		return PACKET_NOT_IP;
	/* an IPv4 header without options is the shortest IP header */
	header = packet_at(cursor, cursor->off, sizeof(*header));
	if (!header)
		return PACKET_TRUNCATED;
	/* packet_at() has checked data_end, but a quote may end earlier, before padding */
	if (mode == PACKET_QUOTED && cursor->off + sizeof(*header) > cursor->len)
		return PACKET_TRUNCATED;
	version = *(const __u8 *)header >> 4;
	if (version == 4 && proto_be != PACKET_BE16(ETH_P_IPV6))
		return packet_parse_ipv4(cursor, mode, header, ip);
	if (version == 6 && proto_be != PACKET_BE16(ETH_P_IP))
		return packet_parse_ipv6(cursor, mode, ip);
	return proto_be ? PACKET_LYING : PACKET_NOT_IP;
}

/*
 * Parses the UDP header (RFC 768) after @ip, the result of packet_parse_ip() in any mode for this
 * cursor. Leaves the cursor at the payload. Returns PACKET_OK, PACKET_NOT_UDP, PACKET_NO_L4,
 * PACKET_TRUNCATED, PACKET_LYING_UDP, PACKET_JUMBO.
 */
PACKET_INLINE enum packet_verdict packet_parse_udp(struct packet_cursor *cursor,
						   const struct packet_ip *ip,
						   struct packet_udp *udp)
{
	const __u32 payload_len = ip->total_len - (ip->l4_off - ip->l3_off);
	const struct packet_udphdr *header;
	__u32 len;

	if (ip->fragment == PACKET_LATER_FRAGMENT)
		return PACKET_NO_L4;
	if (ip->protocol != IPPROTO_UDP)
		return PACKET_NOT_UDP;
	if (payload_len < sizeof(*header))
		return PACKET_LYING_UDP;
	header = packet_at(cursor, cursor->off, sizeof(*header));
	if (!header || cursor->off + sizeof(*header) > cursor->len)
		return PACKET_TRUNCATED;
	len = PACKET_BE16(header->h.len);
	if (len == 0 && ip->version == 6)
		return PACKET_JUMBO;
	if (len < sizeof(*header) || (ip->fragment == PACKET_UNFRAGMENTED && len > payload_len))
		return PACKET_LYING_UDP;
	udp->source_be = header->h.source;
	udp->dest_be = header->h.dest;
	udp->check_be = header->h.check;
	udp->len = len;
	cursor->off += sizeof(*header);
	return PACKET_OK;
}

PACKET_INLINE int packet_is_icmp_error(const struct packet_ip *ip, __u8 type)
{
	if (ip->version == 4)
		return type == PACKET_ICMP_DEST_UNREACH || type == PACKET_ICMP_TIME_EXCEEDED ||
		       type == PACKET_ICMP_PARAMETERPROB;
	return type >= ICMPV6_DEST_UNREACH && type <= ICMPV6_PARAMPROB;
}

/*
 * Parses the ICMP or ICMPv6 error (RFC 792, RFC 4443) after @ip, the result of packet_parse_ip()
 * for this cursor: destination unreachable (including fragmentation needed), time exceeded,
 * parameter problem or packet too big. Leaves the cursor at the quoted IP header, for
 * packet_parse_ip() with PACKET_QUOTED, and cursor->len at or before the end of the quote. Ignores
 * extensions (RFC 4884). Returns PACKET_OK, PACKET_NOT_ICMP_ERROR, PACKET_NO_L4, PACKET_TRUNCATED.
 */
PACKET_INLINE enum packet_verdict packet_parse_icmp_error(struct packet_cursor *cursor,
							  const struct packet_ip *ip,
							  struct packet_icmp_error *error)
{
	const __u8 protocol = ip->version == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	const __u32 size = 8; /* size of the ICMP header in both versions */
	const __u8 *header;

	if (ip->fragment == PACKET_LATER_FRAGMENT)
		return PACKET_NO_L4;
	if (ip->protocol != protocol)
		return PACKET_NOT_ICMP_ERROR;
	header = packet_at(cursor, cursor->off, size);
	if (!header || cursor->off + size > cursor->len)
		return PACKET_TRUNCATED;
	if (!packet_is_icmp_error(ip, header[0]))
		return PACKET_NOT_ICMP_ERROR;
	error->inner_off = cursor->off + size;
	error->type = header[0];
	error->code = header[1];
	error->pad = 0;
	cursor->off += size;
	cursor->proto_be = PACKET_BE16(ip->version == 4 ? ETH_P_IP : ETH_P_IPV6);
	return PACKET_OK;
}

_Static_assert(sizeof(struct packet_ip) == 56, "no hidden padding: it may become part of a key");
_Static_assert(sizeof(struct packet_udp) == 8, "no hidden padding");
_Static_assert(sizeof(struct packet_icmp_error) == 8, "no hidden padding");

#endif /* SLUICE_PACKET_H */
