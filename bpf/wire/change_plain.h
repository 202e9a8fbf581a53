/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/*
 * Rewrites an address of a plain datagram by one store, which covers both checksums. The kernel's
 * checksum helpers would cost one more call, and would check again that the headers are writable.
 *
 * Rejected: a store through skb->data. In a program with such a store the kernel makes the headers
 * of every cloned packet writable, and TCP sends only clones.
 *
 * BPF_F_RECOMPUTE_CSUM corrects the sum of CHECKSUM_COMPLETE. With CHECKSUM_PARTIAL the checksum
 * holds only the sum of the pseudo-header, and is never 0; see change_covering().
 */
#ifndef SLUICE_BPF_WIRE_CHANGE_PLAIN_H
#define SLUICE_BPF_WIRE_CHANGE_PLAIN_H

#include "wire/kernel_cast.h"
#include "wire/packet.h"
#include "wire/parse_plain.h"

#include <bpf/bpf_core_read.h>

/* include/linux/skbuff.h */
#define CHECKSUM_PARTIAL 3

#define STORE_FLAGS (BPF_F_RECOMPUTE_CSUM | BPF_F_INVALIDATE_HASH)

/*
 * Changes the checksum of the UDP header at @off. In a tunnel packet, CHECKSUM_PARTIAL may refer to
 * the inner datagram; the outer checksum is then complete, or zero
 * (Documentation/networking/checksum-offloads.rst, "LCO"). The kernel's helpers do not distinguish
 * the two cases.
 */
static __always_inline __sum16 change_udp_check(struct __sk_buff *skb, __u32 off, __sum16 check,
						__wsum difference)
{
	const struct sk_buff *kern = bpf_cast_to_kern_ctx(skb);
	__u64 header = (__u64)kern->data + off - (__u64)kern->head;

	if (BPF_CORE_READ_BITFIELD(kern, ip_summed) == CHECKSUM_PARTIAL &&
	    kern->csum_start == header)
		return checksum_replace_partial(check, difference);
	return checksum_replace_udp(check, difference);
}

static __always_inline bool change_plain4(struct __sk_buff *skb, __u32 off,
					  enum sluice_wire_end end, __be32 to)
{
	const struct plain4 *packet = (void *)(long)skb->data + off;
	struct {
		__u16 gap;
		__sum16 check;
		__be32 saddr;
		__be32 daddr;
		struct udphdr udp;
	} changed = {};
	__wsum difference;

	if ((void *)(packet + 1) > (void *)(long)skb->data_end)
		return false;
	changed.saddr = packet->ip.saddr;
	changed.daddr = packet->ip.daddr;
	changed.udp = packet->udp;
	if (end == SLUICE_WIRE_SOURCE) {
		difference = checksum_difference32(changed.saddr, to);
		changed.saddr = to;
	} else {
		difference = checksum_difference32(changed.daddr, to);
		changed.daddr = to;
	}
	changed.check = checksum_replace(packet->ip.check, difference);
	changed.udp.check = change_udp_check(skb, off + sizeof(packet->ip), changed.udp.check,
					     difference);
	return !bpf_skb_store_bytes(skb, off + offsetof(struct iphdr, check), &changed.check,
				    sizeof(changed) - offsetof(typeof(changed), check),
				    STORE_FLAGS);
}

static __always_inline bool change_plain6(struct __sk_buff *skb, __u32 off,
					  enum sluice_wire_end end, const struct sluice_addr *to)
{
	const struct plain6 *packet = (void *)(long)skb->data + off;
	struct {
		struct in6_addr saddr;
		struct in6_addr daddr;
		struct udphdr udp;
	} changed;
	struct in6_addr after;
	__wsum difference;

	if ((void *)(packet + 1) > (void *)(long)skb->data_end)
		return false;
	__builtin_memcpy(&after, to, sizeof(after));
	__builtin_memcpy(&changed.saddr, &packet->ip.saddr, sizeof(after));
	__builtin_memcpy(&changed.daddr, &packet->ip.daddr, sizeof(after));
	changed.udp = packet->udp;
	if (end == SLUICE_WIRE_SOURCE) {
		difference = checksum_difference(&changed.saddr, &after);
		changed.saddr = after;
	} else {
		difference = checksum_difference(&changed.daddr, &after);
		changed.daddr = after;
	}
	changed.udp.check = change_udp_check(skb, off + sizeof(packet->ip), changed.udp.check,
					     difference);
	return !bpf_skb_store_bytes(skb, off + offsetof(struct ipv6hdr, saddr), &changed,
				    sizeof(changed), STORE_FLAGS);
}

/*
 * Returns true if the headers are at the offsets of parse_plain(), and the kernel has the cast
 * kfuncs.
 */
static __always_inline bool is_plain(const struct parsed *pkt, bool kfuncs)
{
	__u32 header = pkt->version == 4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr);

	return kfuncs && casts && pkt->kind == PARSED_DATAGRAM && pkt->outer.l3_off == PLAIN_OFF &&
	       pkt->outer.l4_off == PLAIN_OFF + header;
}

static __noinline bool change_plain(struct __sk_buff *skb, __u32 version, enum sluice_wire_end end,
				    const struct sluice_addr *to)
{
	if (version == 4)
		return change_plain4(skb, PLAIN_OFF, end, to->word_be[3]);
	return change_plain6(skb, PLAIN_OFF, end, to);
}

#endif
