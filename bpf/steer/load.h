/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/*
 * The load of a worker: the usage of its receive queue, and its recent datagram rate.
 */
#ifndef SLUICE_BPF_STEER_LOAD_H
#define SLUICE_BPF_STEER_LOAD_H

#include "steer/sock.h"

#define QUEUE_UNIT 256 /* usage value that means: queue full */
#define QUEUE_FULL 224

/* About a second. A shorter window would measure noise and the gaps of bursty flows. */
#define WINDOW_SHIFT 10

/*
 * A CPU adds its datagrams to the shared count in batches, to keep the slot's cache line from
 * bouncing. The first datagrams of a window are added one by one, so that a heavy new flow is
 * visible immediately.
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
 * Returns true if the socket is connected. A worker may connect its socket to a peer at any time,
 * and would then take datagrams of other clients for datagrams of its peer. The kernel's own choice
 * skips connected sockets; since Linux 6.13 the kernel removes them from the group.
 */
static __always_inline bool is_connected(const struct sluice_steer_slot *slot, bool casts)
{
	const struct sock *sk = slot ? (void *)slot->sock : NULL;

	return queues_readable && sk && sock_state(sk, casts) == TCP_ESTABLISHED;
}

/*
 * Adds to the count of the current window. Two CPUs that start a window concurrently may lose a
 * batch, which is acceptable for an estimate.
 */
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

/*
 * Adds this CPU's datagrams to the shared count. @datagrams is the total that this CPU has sent to
 * the slot.
 */
static __always_inline void recent_flush(__u32 index, __u32 now, bool begins, __u64 datagrams)
{
	struct sluice_steer_recent *recent = bpf_map_lookup_elem(&sluice_recent, &index);

	if (!recent)
		return;
	if (begins || recent->window != now >> WINDOW_SHIFT || recent->now < EARLY)
		recent_add(recent, now, 1);
	else if (datagrams % LOT == 0)
		recent_add(recent, now, LOT);
}

/* Returns the number of datagrams in the last window length, with the previous window prorated. */
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

/*
 * Returns the load of a slot, comparable with that of other slots: the rate, weighted by the queue
 * usage; a full queue weighs nine times an empty one.
 */
static __always_inline __u64 slot_load(__u32 index, const struct datagram *of)
{
	const struct sluice_steer_slot *slot = bpf_map_lookup_elem(&sluice_slots, &index);

	if (!slot)
		return 0;
	return (recent_rate(index, of->now) + 1) * (QUEUE_UNIT + 8 * queue_usage(slot, of->casts));
}

#endif
