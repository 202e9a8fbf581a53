/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/*
 * The flow table: its slots, and the choice of the flow that a new flow replaces if no slot is
 * free.
 *
 * Only flow_claim() takes a slot from its flow, under the slot's lock, so a single CPU owns the
 * slot. A program that still uses the slot for the earlier flow may store a time or count a
 * datagram in the new flow. In the worst case, one keepalive is an interval late or superfluous.
 */
#ifndef SLUICE_BPF_HOLD_TABLE_H
#define SLUICE_BPF_HOLD_TABLE_H

#include "hold/maps.h"
#include "hold/sockets.h"

#include <stdbool.h>

/*
 * A new flow may replace an unanswered flow after this time: an answer takes a few seconds at most.
 */
#define UNANSWERED_NS 30000000000ULL
/* The number of slots that a search for a replaceable flow inspects. */
#define SEARCH 32

const volatile __u32 table = 1; /* flows */
const volatile __u64 max_ns;	/* a flow that has been silent for longer has ended; 0: no limit */

static __always_inline struct sluice_hold_flow *flow_at(__u32 slot)
{
	return bpf_map_lookup_elem(&sluice_flows, &slot);
}

static __always_inline struct sluice_hold_alloc *allocator(void)
{
	return (struct sluice_hold_alloc *)flow_at(0);
}

/* Returns the lock of a slot, or of the allocator (0). */
static __always_inline struct sluice_hold_lock *lock_of(__u32 slot)
{
	__u32 number = slot % SLUICE_HOLD_LOCKS;

	return bpf_map_lookup_elem(&sluice_locks, &number);
}

static __always_inline void count_flow(__u32 inode, int change)
{
	struct sluice_hold_netns *tracked = bpf_map_lookup_elem(&sluice_netns, &inode);

	if (tracked)
		__sync_fetch_and_add(&tracked->flows, change);
}

/*
 * Returns true if a namespace has more than half of the table; other namespaces may then replace
 * its flows.
 */
static __always_inline bool has_most(__u32 inode)
{
	const struct sluice_hold_netns *tracked = bpf_map_lookup_elem(&sluice_netns, &inode);

	return tracked && tracked->flows > table / 2;
}

/* Returns true if a new flow of the namespace @inode may replace @flow. */
static __always_inline bool is_replaceable(const struct sluice_hold_flow *flow, __u64 cookie,
					   __u32 inode, __u64 now)
{
	__u64 last = flow->out_ns > flow->in_ns ? flow->out_ns : flow->in_ns;
	__u32 own = flow->key.netns;
	struct sluice_hold_socket *socket = cookie ? bpf_map_lookup_elem(&sluice_socks, &cookie)
						   : NULL;

	if (!socket || socket->port_be != flow->key.local_port_be ||
	    (own != inode && has_most(own)))
		return true;
	if (last > now)
		return false;
	return (max_ns && now - last > max_ns) || (!flow->in && now - last > UNANSWERED_NS);
}

/*
 * Takes the slot from the flow that had @serial and @cookie, and copies its key to @was. Returns
 * false if another CPU has claimed the slot.
 */
static __always_inline bool flow_claim(struct sluice_hold_flow *flow, __u32 slot, __u32 serial,
				       __u64 cookie, struct sluice_hold_key *was)
{
	struct sluice_hold_lock *lock = lock_of(slot);
	bool claimed = false;

	if (!lock)
		return false;
	bpf_spin_lock(&lock->lock);
	if (flow->serial == serial && flow->cookie == cookie) {
		*was = flow->key;
		flow->serial = serial + 1;
		flow->cookie = 0;
		claimed = true;
	}
	bpf_spin_unlock(&lock->lock);
	return claimed;
}

/* Returns a slot that has never been used, or 0. */
static __always_inline __u32 slot_unused(struct sluice_hold_alloc *alloc)
{
	struct sluice_hold_lock *lock = lock_of(0);
	__u32 slot = 0;

	if (!lock || alloc->used >= table)
		return 0;
	bpf_spin_lock(&lock->lock);
	if (alloc->used < table)
		slot = ++alloc->used;
	bpf_spin_unlock(&lock->lock);
	return slot;
}

/* Returns the next slot to inspect, or 0. */
static __always_inline __u32 slot_next(struct sluice_hold_alloc *alloc)
{
	struct sluice_hold_lock *lock = lock_of(0);
	__u32 slot;

	if (!lock)
		return 0;
	bpf_spin_lock(&lock->lock);
	slot = alloc->hand >= table ? 1 : alloc->hand + 1;
	alloc->hand = slot;
	bpf_spin_unlock(&lock->lock);
	return slot;
}

#define SLOT_NONE  0
#define SLOT_TAKEN ((__u32)-1)

/*
 * Claims the next slot if a socket of namespace @inode may replace its flow. Returns SLOT_TAKEN if
 * it may not, and SLOT_NONE if there is no table. Global, not static: the verifier checks a global
 * function once, not once for each call.
 */
__noinline __u32 slot_replace(__u32 inode, __u64 now)
{
	struct sluice_hold_alloc *alloc = allocator();
	struct sluice_hold_key was = {};
	struct sluice_hold_flow *flow;
	__u32 slot, serial;
	__u64 cookie;

	slot = alloc ? slot_next(alloc) : 0;
	flow = slot ? flow_at(slot) : NULL;
	if (!flow)
		return SLOT_NONE;
	serial = flow->serial;
	cookie = flow->cookie;
	if (serial & 1 || !is_replaceable(flow, cookie, inode, now) ||
	    !flow_claim(flow, slot, serial, cookie, &was))
		return SLOT_TAKEN;
	if (cookie) {
		bpf_map_delete_elem(&sluice_index, &was);
		count_flow(was.netns, -1);
		count(SLUICE_HOLD_replaced);
	}
	return slot;
}

/* Returns a slot that belongs to this CPU until its serial is even again, or SLOT_NONE. */
static __always_inline __u32 slot_get(struct sluice_hold_alloc *alloc, __u32 inode, __u64 now)
{
	__u32 slot = slot_unused(alloc);
	struct sluice_hold_flow *flow = slot ? flow_at(slot) : NULL;
	struct sluice_hold_key was;
	__u64 i;

	if (flow && flow_claim(flow, slot, 0, 0, &was))
		return slot;
	for (i = 0; i < SEARCH; i++) {
		/* kernel 5.10 loses the bounds of a counter that is spilled as 4 bytes */
		asm volatile("" : "+r"(i));
		slot = slot_replace(inode, now);
		if (slot != SLOT_TAKEN)
			return slot;
	}
	count(SLUICE_HOLD_table_full);
	return SLOT_NONE;
}

/* Creates a flow. Returns its slot, or 0 if there is no room. */
static __always_inline __u32 flow_create(__u64 cookie, const struct sluice_hold_key *key)
{
	struct sluice_hold_alloc *alloc = allocator();
	__u64 now = bpf_ktime_get_boot_ns();
	struct sluice_hold_flow *flow;
	struct sluice_hold_lock *lock;
	__u32 slot;

	if (!alloc || !socket_add(cookie, key))
		return 0;
	slot = slot_get(alloc, key->netns, now);
	flow = slot ? flow_at(slot) : NULL;
	lock = lock_of(slot);
	if (!flow || !lock)
		return 0;
	flow->key = *key;
	flow->out_ns = now;
	flow->in_ns = flow->answered_ns = flow->unreachable_ns = 0;
	flow->out = flow->in = 0;
	flow->out_tick = flow->in_tick = 0;
	flow->in_ttl = 0;
	/* the lock orders the serial after the stores above, since user space checks the serial */
	bpf_spin_lock(&lock->lock);
	flow->cookie = cookie;
	flow->serial++;
	bpf_spin_unlock(&lock->lock);
	if (bpf_map_update_elem(&sluice_index, key, &slot, BPF_NOEXIST)) {
		/* another CPU has added the flow: free the slot */
		bpf_spin_lock(&lock->lock);
		flow->cookie = 0;
		bpf_spin_unlock(&lock->lock);
		return 0;
	}
	count_flow(key->netns, 1);
	count(SLUICE_HOLD_flows);
	return slot;
}

/*
 * Assigns the flow to the socket that has just sent, if the earlier socket was closed or shares the
 * port. Also called if a socket returns to a port that it used before.
 */
static __always_inline void flow_change_socket(__u32 slot, __u64 cookie,
					       const struct sluice_hold_key *key)
{
	struct sluice_hold_flow *flow = flow_at(slot);
	struct sluice_hold_lock *lock = lock_of(slot);

	if (!flow || !lock || !socket_add(cookie, key))
		return;
	bpf_spin_lock(&lock->lock);
	if (flow->cookie)
		flow->cookie = cookie;
	bpf_spin_unlock(&lock->lock);
}

#endif
