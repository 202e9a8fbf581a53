/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/* The flow table: lookup of a flow's way, and choice of a way for a new flow. */
#ifndef SLUICE_BPF_STEER_TABLE_H
#define SLUICE_BPF_STEER_TABLE_H

#include "steer/sock.h"

/* --- ways */

/* Return the addresses of a way's two words. The masks bound the offset for the verifier. */
static __always_inline volatile __u64 *way_print(struct sluice_steer_set *set, __u32 way)
{
	return (void *)set + ((way & 4) << 4) + ((way & 3) << 3);
}

static __always_inline volatile __u64 *way_owner(struct sluice_steer_set *set, __u32 way)
{
	return way_print(set, way) + 4;
}

/*
 * Returns a < b as 1 or 0, without a branch, which would double the verifier's paths. The
 * difference must be below 2^63.
 */
static __always_inline __u64 is_less(__u64 a, __u64 b)
{
	return (a - b) >> 63;
}

static __always_inline __u64 is_zero(__u64 a)
{
	return ~(a | -a) >> 63;
}

/*
 * Returns the i-th way to search: first the home way, then the rest of its line, then the other
 * line.
 */
static __always_inline __u32 way_next(const struct datagram *of, __u32 i)
{
	return sluice_steer_home(of->hash) ^ i;
}

/* Returns the way of the flow, or SLUICE_STEER_WAYS. */
static __always_inline __u32 flow_find(struct sluice_steer_set *set, const struct datagram *of)
{
	__u32 i;

#pragma unroll
	for (i = 0; i < SLUICE_STEER_WAYS; i++)
		if (*way_print(set, way_next(of, i)) == of->print)
			return way_next(of, i);
	return SLUICE_STEER_WAYS;
}

/* Returns 1 if the flow has been idle for longer than --idle, and 0 otherwise. */
static __always_inline __u64 flow_is_expired(__u64 owner, __u32 now)
{
	return is_less(idle_limit, sluice_steer_owner_idle(owner, now));
}

/* Returns 1 if a new flow may replace this flow when it finds no better way, and 0 otherwise. */
static __always_inline __u64 flow_is_lapsed(__u64 owner, __u32 now)
{
	__u32 received = sluice_steer_owner_received(owner);

	return is_less(sluice_steer_protected(received, idle_limit),
		       sluice_steer_owner_idle(owner, now) + 1ULL);
}

/*
 * Returns a way for a new flow, or SLUICE_STEER_WAYS if all are live. Prefers a free way, then an
 * expired flow, then a flow that is no longer protected. Among several flows, prefers the flow with
 * the fewest datagrams, then the flow that has been idle longest.
 *
 * In a random half of the ticks, a flow of one datagram keeps its way: two new flows in a full set
 * would otherwise evict each other with each of their datagrams.
 */
static __always_inline __u32 set_place(struct sluice_steer_set *set, const struct datagram *of)
{
	const __u64 few_most = SLUICE_STEER_RECEIVED_MAX - 1;
	__u64 most = SLUICE_STEER_WAYS, stays;
	__u32 i;

#pragma unroll
	for (i = 0; i < SLUICE_STEER_WAYS; i++) {
		__u32 way = way_next(of, i);
		__u64 owner = *way_owner(set, way), worth;
		__u64 free = is_zero(*way_print(set, way));
		__u64 expired = flow_is_expired(owner, of->now);
		__u64 few = SLUICE_STEER_RECEIVED_MAX - sluice_steer_owner_received(owner);

		worth = (few << 33) + sluice_steer_owner_idle(owner, of->now) + 1;
		worth *= expired | flow_is_lapsed(owner, of->now);
		worth += (free << 41) + (expired << 40);
		/* the lowest bits carry the way */
		worth = worth << 4 | way;
		most += (worth - most) * is_less(most | 15, worth);
	}
	stays = is_zero(most >> 37 ^ few_most) & sluice_flow_mix(of->print, of->now) >> 63;
	return (most & 15) | stays * SLUICE_STEER_WAYS;
}

/* Records the owner of a new flow, or of a flow that moves from another slot. */
static __always_inline void flow_record(const struct datagram *of, struct sluice_steer_set *set,
					__u32 way, __u32 index, __u16 incarnation)
{
	__u64 owner = sluice_steer_owner(of->print, of->now, index, incarnation), before;

	if (way < SLUICE_STEER_WAYS) {
		before = *way_owner(set, way);
		if (sluice_steer_owner_checks(before, of->print))
			owner = sluice_steer_owner_moved(sluice_steer_owner_again(before, of->now),
							 index, incarnation);
		*way_owner(set, way) = owner;
		return;
	}
	way = set_place(set, of);
	if (way >= SLUICE_STEER_WAYS) {
		count(SLUICE_STEER_unrecorded);
		return;
	}
	before = *way_owner(set, way);
	if (*way_print(set, way) && !flow_is_expired(before, of->now))
		count(sluice_steer_owner_received(before) < 2 ? SLUICE_STEER_half_open_lost
							      : SLUICE_STEER_lapsed_lost);
	*way_owner(set, way) = owner;
	*way_print(set, way) = of->print;
}

#endif
