/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/*
 * Internet checksums after a change of addresses: incremental update, RFC 1624, for the host and
 * BPF.
 *
 * The change is one number, the difference, taken once and then put into each checksum that covers
 * the address: the IPv4 header's, UDP's by its pseudo-header, those of a packet that ICMP quotes.
 * IPv4 addresses stand v4-mapped, as packet_parse_ip() gives them: the constant prefix cancels out,
 * so one function serves both families.
 *
 * In tc, give the difference to bpf_l3_csum_replace() and bpf_l4_csum_replace() with from 0 and
 * size 0: they know about CHECKSUM_PARTIAL, where the field holds something else, and
 * CHECKSUM_COMPLETE. checksum_replace() is for XDP and for tests, which have the plain packet.
 *
 * Sums are of 16-bit words as they lie in memory. Ones' complement does not mind (RFC 1071, 2.B),
 * so all of it is the same on either endianness.
 */
#ifndef SLUICE_CHECKSUM_H
#define SLUICE_CHECKSUM_H

#include <linux/in6.h>
#include <linux/types.h>

#define CHECKSUM_INLINE static inline __attribute__((always_inline))

/* Any 64-bit sum to 16 bits: the last line takes the carry that the one before may leave. */
CHECKSUM_INLINE __u16 checksum_fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* What the sum over the packet gains when an address changes from one to the other: ~m + m'. */
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

/* The same of an IPv4 address; not folded to 16 bits, which nobody minds. */
CHECKSUM_INLINE __wsum checksum_difference32(__be32 from, __be32 to)
{
	__u64 sum = (__u64)(__u32)~from + to;

	return (__u32)sum + (__u32)(sum >> 32);
}

/* The same of one 16-bit word: a port, or a checksum that another checksum covers. */
CHECKSUM_INLINE __wsum checksum_difference16(__be16 from, __be16 to)
{
	return checksum_fold((__u64)(__u16)~from + to);
}

/* The checksum after a change by difference: RFC 1624, equation 3. For the IPv4 header and ICMP. */
CHECKSUM_INLINE __sum16 checksum_replace(__sum16 check, __wsum difference)
{
	return ~checksum_fold((__u64)(__u16)~check + difference);
}

/*
 * The same for UDP: 0 says that there is no checksum, and stays (RFC 768; over IPv6 RFC 6935); a
 * checksum that comes out as 0 is sent as 0xffff, which is the same number in ones' complement.
 */
CHECKSUM_INLINE __sum16 checksum_replace_udp(__sum16 check, __wsum difference)
{
	if (!check)
		return 0;
	check = checksum_replace(check, difference);
	return check ? check : 0xffff;
}

#endif /* SLUICE_CHECKSUM_H */
