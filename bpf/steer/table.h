/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/* The flow table: the way of a flow, and the way that a new flow gets. */
#ifndef SLUICE_BPF_STEER_TABLE_H
#define SLUICE_BPF_STEER_TABLE_H

#include "steer/sock.h"

/* --- the clock */

/*
 * The verifier replaces the call by a load of the counter; the helpers for CLOCK_MONOTONIC cost a
 * third of a decision.
 */
static __always_inline __u32 tick_clock(void)
{
	return sluice_flow_clock(bpf_jiffies64() * tick_ns);
}

/* --- ways */

/* Return the words of a way. The masks give the verifier the bounds. */
static __always_inline volatile __u64 *way_print(struct sluice_steer_set *set, __u32 way)
{
	return (void *)set + ((way & 4) << 4) + ((way & 3) << 3);
}

static __always_inline volatile __u64 *way_owner(struct sluice_steer_set *set, __u32 way)
{
	return way_print(set, way) + 4;
}

/* Returns 1 or 0 without a branch: each branch would double the paths of the verifier. */
static __always_inline __u64 is_less(__u64 a, __u64 b)
{
	return (a - b) >> 63;
}

static __always_inline __u64 is_zero(__u64 a)
{
	return ~(a | -a) >> 63;
}

/* Returns the i-th way to search: the home way, then its line, then the other line. */
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

static __always_inline bool flow_is_half_open(__u64 owner)
{
	return sluice_steer_owner_received(owner) < 2;
}

/* Returns 1 or 0: may the way of this flow be reused for a new one? */
static __always_inline __u64 flow_is_expired(__u64 owner, __u32 now)
{
	return is_less(idle_limit, sluice_steer_owner_idle(owner, now));
}

/*
 * Returns a way for a new flow, or SLUICE_STEER_WAYS if all are live: the first free way, else an
 * expired one, else that of the oldest one-datagram flow.
 */
static __always_inline __u32 set_place(struct sluice_steer_set *set, const struct datagram *of)
{
	__u64 most = SLUICE_STEER_WAYS;
	__u32 i;

#pragma unroll
	for (i = 0; i < SLUICE_STEER_WAYS; i++) {
		__u32 way = way_next(of, i);
		__u64 owner = *way_owner(set, way), worth;
		__u64 free = is_zero(*way_print(set, way));
		__u64 expired = flow_is_expired(owner, of->now);
		__u64 open = is_less(sluice_steer_owner_received(owner), 2);

		worth = (sluice_steer_owner_idle(owner, of->now) + 1ULL) * (expired | open);
		worth += (free << 34) + (expired << 32);
		/* the lowest bits carry the way */
		worth = worth << 4 | way;
		most += (worth - most) * is_less(most | 15, worth);
	}
	return most & 15;
}

#endif
