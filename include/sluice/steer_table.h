/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/*
 * The flow table of a steered group.
 *
 * It is set-associative for the reasons in flow.h, with two differences. First, a new flow never
 * replaces a live flow, since the live flow would then move. If its set is full, the new flow is
 * not recorded; the steering program then hashes its tuple, with the same result as long as the
 * group is unchanged. Second, the time for which an idle flow counts as live in a full set grows
 * with the datagrams that it has received (sluice_steer_protected()): a spoofer can easily create
 * flows of a few datagrams, but not flows of many.
 *
 * A way has two words: the print, which identifies the flow, and the owner. Each is read and
 * written atomically; there is no lock. Two CPUs that write to a way concurrently may combine the
 * print of one flow with the owner of another. The check in the owner detects this case, and the
 * flow is then placed as if it had not been recorded.
 */
#ifndef SLUICE_STEER_TABLE_H
#define SLUICE_STEER_TABLE_H

#include <sluice/flow.h>
#include <stdbool.h>

#define SLUICE_STEER_SLOTS 1024 /* limit on the sockets of a group, over all generations */
#define SLUICE_STEER_WAYS  8

/* The secret of a group, from the kernel's random number generator. */
struct sluice_steer_keys {
	__u64 ip4[2][4];
	__u64 ip6[2][10];
};

/*
 * Four ways fill a cache line, so that a lookup that finds a flow in its home way reads one line.
 */
struct sluice_steer_line {
	__u64 print[4]; /* sluice_steer_print(); 0: free */
	__u64 owner[4]; /* sluice_steer_owner() */
};

struct sluice_steer_set {
	struct sluice_steer_line line[SLUICE_STEER_WAYS / 4];
};
_Static_assert(sizeof(struct sluice_steer_set) == 128, "struct sluice_steer_set");

/* --- prints */

/*
 * Computes a pair-multiply-shift sum. With random keys, the upper halves of the sums of two
 * different tuples are uniform and independent (Thorup, "High Speed Hashing for Integers and
 * Strings", arXiv:1504.06804).
 */
SLUICE_FLOW_INLINE __u64 sluice_steer_sum(const volatile __u64 *key, const __u64 *word, int words,
					  __be16 port_be)
{
	__u64 sum = key[0] + key[1] * port_be;
	int i;

	for (i = 0; i < words; i++)
		sum += (key[2 * i + 2] + (__u32)word[i]) * (key[2 * i + 3] + (word[i] >> 32));
	return sum;
}

/*
 * Returns 63 random bits and a set bit. Any two flows have the same print with a probability of
 * 2^-63, and would then share a way and a worker. Without the keys, a peer can find such a pair
 * only by trial. @word holds source and destination as in the header: one word for IPv4, four for
 * IPv6.
 *
 * Rejected: SipHash, since its collision bound is a conjecture and its five to eight dependent
 * rounds cost more; and sluice_flow_mix(), since some pairs of words collide under every seed.
 */
SLUICE_FLOW_INLINE __u64 sluice_steer_print(const volatile struct sluice_steer_keys *keys,
					    const __u64 *word, int words, __be16 port_be)
{
	const volatile __u64 *one = words == 1 ? keys->ip4[0] : keys->ip6[0];
	const volatile __u64 *other = words == 1 ? keys->ip4[1] : keys->ip6[1];

	return (sluice_steer_sum(one, word, words, port_be) & 0xffffffff00000000ULL) |
	       sluice_steer_sum(other, word, words, port_be) >> 32 | 1;
}

/*
 * Selects the set (sluice_flow_set_index()) and the home way. The sums of a print are linear in the
 * port and in each half of an address, so without the mix, consecutive clients would all map to a
 * few sets.
 */
SLUICE_FLOW_INLINE __u64 sluice_steer_hash(__u64 print)
{
	return sluice_flow_mix(print, 0);
}

SLUICE_FLOW_INLINE __u32 sluice_steer_home(__u64 hash)
{
	return hash >> 24 & (SLUICE_STEER_WAYS - 1);
}

/* --- owners */

/*
 *	63           40 39    32 31      26 25  16 15         0
 *	| seen, 2^28 ns | check | received | slot | incarnation |
 *
 * The time is the upper part of sluice_flow_clock() of the kernel's ticks. It is a lower bound: the
 * last datagram came up to 2^28 ns later.
 */
#define SLUICE_STEER_SEEN_MASK	  0xffffff00U
#define SLUICE_STEER_RECEIVED_ONE (1U << 26)
#define SLUICE_STEER_RECEIVED_MAX 63 /* 63 or more */

SLUICE_FLOW_INLINE __u8 sluice_steer_check(__u64 print)
{
	return print >> 32;
}

/* Returns the owner of a flow after its first datagram; @incarnation belongs to the slot. */
SLUICE_FLOW_INLINE __u64 sluice_steer_owner(__u64 print, __u32 now, __u32 slot, __u16 incarnation)
{
	__u32 upper = (now & SLUICE_STEER_SEEN_MASK) | sluice_steer_check(print);

	return (__u64)upper << 32 | SLUICE_STEER_RECEIVED_ONE | slot << 16 | incarnation;
}

/* Returns the owner after one more datagram. */
SLUICE_FLOW_INLINE __u64 sluice_steer_owner_again(__u64 owner, __u32 now)
{
	__u32 upper = (now & SLUICE_STEER_SEEN_MASK) | (owner >> 32 & ~SLUICE_STEER_SEEN_MASK);
	__u32 lower = owner;

	if (lower < (__u32)SLUICE_STEER_RECEIVED_MAX * SLUICE_STEER_RECEIVED_ONE)
		lower += SLUICE_STEER_RECEIVED_ONE;
	return (__u64)upper << 32 | lower;
}

/* Returns the owner after a move to another slot. */
SLUICE_FLOW_INLINE __u64 sluice_steer_owner_moved(__u64 owner, __u32 slot, __u16 incarnation)
{
	return (owner & ~(SLUICE_STEER_RECEIVED_ONE - 1ULL)) | slot << 16 | incarnation;
}

SLUICE_FLOW_INLINE bool sluice_steer_owner_checks(__u64 owner, __u64 print)
{
	return (__u8)(owner >> 32) == sluice_steer_check(print);
}

SLUICE_FLOW_INLINE __u32 sluice_steer_owner_slot(__u64 owner)
{
	return owner >> 16 & (SLUICE_STEER_SLOTS - 1);
}

SLUICE_FLOW_INLINE __u16 sluice_steer_owner_incarnation(__u64 owner)
{
	return owner;
}

/* Returns the number of datagrams received, at most SLUICE_STEER_RECEIVED_MAX. */
SLUICE_FLOW_INLINE __u32 sluice_steer_owner_received(__u64 owner)
{
	return (__u32)owner / SLUICE_STEER_RECEIVED_ONE;
}

/* The time for which each datagram after the first protects a flow. */
#define SLUICE_STEER_PROTECTED_BY_ONE sluice_flow_clock(2000000000)

/*
 * Returns how long a flow keeps its way in a full set after its last datagram: 0 after one
 * datagram, two seconds after two, four seconds after three, and so on; @limit, the idle timeout,
 * after SLUICE_STEER_RECEIVED_MAX datagrams. To keep a table full, a spoofer must send a datagram
 * to each way every two seconds.
 *
 * The function has no branch, since the verifier would follow both sides.
 */
SLUICE_FLOW_INLINE __u32 sluice_steer_protected(__u32 received, __u32 limit)
{
	__u32 many = (received + 1) / (SLUICE_STEER_RECEIVED_MAX + 1);

	return (received - 1) * SLUICE_STEER_PROTECTED_BY_ONE * (1 - many) + limit * many;
}

/* Returns the time since the last datagram, up to 2^28 ns too short. */
SLUICE_FLOW_INLINE __u32 sluice_steer_owner_idle(__u64 owner, __u32 now)
{
	return sluice_flow_idle(now, (__u32)(owner >> 32) | ~SLUICE_STEER_SEEN_MASK);
}

#endif
