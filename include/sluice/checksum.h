/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/*
 * Incremental update of Internet checksums after an address change (RFC 1624), for user space and
 * BPF.
 *
 * An address change is expressed as one difference. It is computed once and applied to each
 * checksum that covers the address: those of the IPv4 header, of UDP (which covers the
 * pseudo-header) and of a packet quoted by ICMP. IPv4 addresses are v4-mapped, as packet_parse_ip()
 * returns them: the constant prefix cancels out, so one function serves both families.
 *
 * In tc, pass the difference to bpf_l3_csum_replace() and bpf_l4_csum_replace() with from 0 and
 * size 0: they handle CHECKSUM_PARTIAL, where the field is only a partial sum, and
 * CHECKSUM_COMPLETE. checksum_replace() is for XDP and tests, which access the packet directly.
 *
 * Sums are over 16-bit words in memory order. Ones' complement sums do not depend on the byte order
 * (RFC 1071, 2.B), so the code is the same on either endianness.
 */
#ifndef SLUICE_CHECKSUM_H
#define SLUICE_CHECKSUM_H

#include <linux/in6.h>
#include <linux/types.h>

#define CHECKSUM_INLINE static inline __attribute__((always_inline))

/* Folds a 64-bit sum to 16 bits; the last line adds a carry from the line before it. */
CHECKSUM_INLINE __u16 checksum_fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* Returns the change of the packet's sum when an address changes: ~m + m'. */
CHECKSUM_INLINE __wsum checksum_difference(const struct in6_addr *from, const struct in6_addr *to)
{
	__u64 sum = 0;
	int i;

	for (i = 0; i < 4; i++) {
		sum += (__u32)~from->s6_addr32[i];
		sum += to->s6_addr32[i];
	}
	return checksum_fold(sum);
}

/*
 * Returns the difference for an IPv4 address. It may exceed 16 bits: the functions that apply it to
 * a checksum fold it.
 */
CHECKSUM_INLINE __wsum checksum_difference32(__be32 from, __be32 to)
{
	__u64 sum = (__u64)(__u32)~from + to;

	return (__u32)sum + (__u32)(sum >> 32);
}

/* Returns the difference for a 16-bit word: a port, or a checksum covered by another checksum. */
CHECKSUM_INLINE __wsum checksum_difference16(__be16 from, __be16 to)
{
	return checksum_fold((__u64)(__u16)~from + to);
}

/* Applies the difference to a checksum of the IPv4 header or ICMP: RFC 1624, equation 3. */
CHECKSUM_INLINE __sum16 checksum_replace(__sum16 check, __wsum difference)
{
	return ~checksum_fold((__u64)(__u16)~check + difference);
}

/*
 * Applies the difference to a UDP checksum. 0 means "no checksum" and stays 0 (RFC 768; RFC 6935
 * for IPv6). A computed 0 is stored as 0xffff, which is also zero in ones' complement.
 */
CHECKSUM_INLINE __sum16 checksum_replace_udp(__sum16 check, __wsum difference)
{
	if (!check)
		return 0;
	check = checksum_replace(check, difference);
	return check ? check : 0xffff;
}

/*
 * Applies the difference to the sum of a pseudo-header, which the checksum field holds until the
 * device or kernel completes it (CHECKSUM_PARTIAL).
 */
CHECKSUM_INLINE __sum16 checksum_replace_partial(__sum16 sum, __wsum difference)
{
	return checksum_fold((__u64)(__u16)sum + difference);
}

#endif /* SLUICE_CHECKSUM_H */
