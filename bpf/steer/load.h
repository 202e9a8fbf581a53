/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/*
 * How busy a worker is: how full the receive queue of its socket is, and how many datagrams it was
 * given of late.
 */
#ifndef SLUICE_BPF_STEER_LOAD_H
#define SLUICE_BPF_STEER_LOAD_H

#include "steer/sock.h"

#define QUEUE_UNIT 256 /* a queue with no room left */
#define QUEUE_FULL 224

/* About a second: a shorter time sees chance, and the gaps of flows that send in bursts. */
#define WINDOW_SHIFT 10

/*
 * Datagrams of a CPU are told to the others in lots, so that a slot's cache line stays where it is;
 * the first of a window one by one, since a heavy flow that has just begun shows in a few only.
 */
#define LOT   8
#define EARLY 128

static __always_inline __u32 queue_usage(const struct sluice_steer_slot *slot, bool casts)
{
	const struct sock *sk = (void *)slot->sock;
	__s32 used, room;

	if (!queues_readable || !sk || sock_cookie(sk, casts) != slot->cookie)
		return 0;
	used = sock_queued(sk, casts);
	room = sock_room(sk, casts);
	if (used <= 0)
		return 0;
	return used < room ? (__u64)used * QUEUE_UNIT / (__u32)room : QUEUE_UNIT;
}

static __always_inline bool queue_is_full(const struct sluice_steer_slot *slot, bool casts)
{
	return slot && queue_usage(slot, casts) >= QUEUE_FULL;
}

/*
 * A worker may connect its socket to one peer at any time: it then hears others' datagrams only if
 * they are given to it, and takes them for its peer's.  The kernel never does that, and since Linux
 * 6.13 it takes a connected socket out of the group.
 */
static __always_inline bool is_connected(const struct sluice_steer_slot *slot, bool casts)
{
	const struct sock *sk = slot ? (void *)slot->sock : NULL;

	return queues_readable && sk && sock_state(sk, casts) == TCP_ESTABLISHED;
}

/* Two CPUs that begin a window at once may lose each other's lot: it is an estimate. */
static __always_inline void recent_add(struct sluice_steer_recent *recent, __u32 now,
				       __u32 datagrams)
{
	__u32 window = now >> WINDOW_SHIFT;

	if (recent->window != window) {
		recent->before = window - recent->window == 1 ? recent->now : 0;
		recent->now = 0;
		recent->window = window;
	}
	__sync_fetch_and_add(&recent->now, datagrams);
}

/* `datagrams` is how many this CPU has given to the slot. */
static __always_inline void recent_tell(__u32 index, __u32 now, bool begins, __u64 datagrams)
{
	struct sluice_steer_recent *recent = bpf_map_lookup_elem(&sluice_recent, &index);

	if (!recent)
		return;
	if (begins || recent->window != now >> WINDOW_SHIFT || recent->now < EARLY)
		recent_add(recent, now, 1);
	else if (datagrams % LOT == 0)
		recent_add(recent, now, LOT);
}

/* Datagrams in the last window's length; of the window before this, what still reaches into it. */
static __always_inline __u64 recent_rate(__u32 index, __u32 now)
{
	const struct sluice_steer_recent *recent = bpf_map_lookup_elem(&sluice_recent, &index);
	__u32 window = now >> WINDOW_SHIFT, left;

	if (!recent)
		return 0;
	left = (1 << WINDOW_SHIFT) - (now & ((1 << WINDOW_SHIFT) - 1));
	if (recent->window == window)
		return recent->now + (((__u64)recent->before * left) >> WINDOW_SHIFT);
	if (window - recent->window == 1)
		return ((__u64)recent->now * left) >> WINDOW_SHIFT;
	return 0;
}

/* Comparable between slots: the rate, weighed up to nine times by a queue that fills. */
static __always_inline __u64 slot_load(__u32 index, const struct datagram *of)
{
	const struct sluice_steer_slot *slot = bpf_map_lookup_elem(&sluice_slots, &index);

	if (!slot)
		return 0;
	return (recent_rate(index, of->now) + 1) * (QUEUE_UNIT + 8 * queue_usage(slot, of->casts));
}

#endif
