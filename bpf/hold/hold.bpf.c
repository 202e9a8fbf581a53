// SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause)
/*
 * Object hold: records when the datagrams of each flow of a managed UDP socket pass, so that the
 * daemon knows which NAT mappings are about to expire. The programs change no packet.
 *
 * sluice_hold_out creates flows; sluice_hold_in only updates them. So a flow's first incoming
 * datagram is an answer, and a flood from spoofed sources makes no flow that a keepalive is sent
 * for. sluice_closed removes closed sockets: a flow whose socket is not in sluice_socks has ended.
 *
 * A slot changes its flow only in flow_claim(), under its lock, so that it belongs to one CPU. A
 * program that still holds the slot of the earlier flow may store one time or count into the new
 * one: the worst effect is one keepalive that is an interval late or needless.
 */
#include "common/kernel.h"
#include "hold/datagram.h"
#include "hold/maps.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <linux/in.h>
#include <linux/udp.h>
#include <stddef.h>

#define PASS 1

#define LOOPBACK_IFINDEX 1 /* include/net/net_namespace.h */

/* A flow without an answer may be replaced after this time: an answer takes seconds at most. */
#define UNANSWERED_NS 30000000000ULL
/* The number of slots that a new flow inspects to find a replaceable flow. */
#define SEARCH 32

/* Constants of this load, known to the verifier. */
const volatile __u32 table = 1; /* flows */
const volatile __u64 max_ns;	/* a flow this long without a datagram has ended; 0: never */

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

/* --- sockets */

/* Adds a socket and counts it in its namespace. Returns false if there is no room. */
static __always_inline bool socket_add(__u64 cookie, __u32 inode)
{
	__u64 none = 0, *open;

	if (bpf_map_lookup_elem(&sluice_socks, &cookie))
		return true;
	open = bpf_map_lookup_elem(&sluice_netns, &inode);
	if (!open) {
		bpf_map_update_elem(&sluice_netns, &inode, &none, BPF_NOEXIST);
		open = bpf_map_lookup_elem(&sluice_netns, &inode);
		if (!open)
			return false;
	}
	/* another CPU may have added it */
	if (bpf_map_update_elem(&sluice_socks, &cookie, &inode, BPF_NOEXIST))
		return bpf_map_lookup_elem(&sluice_socks, &cookie);
	__sync_fetch_and_add(open, 1);
	return true;
}

SEC("cgroup/sock_release")
int sluice_closed(struct bpf_sock *ctx)
{
	__u32 *found, inode, number;
	__u64 cookie, *open, *closes;

	if (ctx->protocol != IPPROTO_UDP)
		return PASS;
	cookie = BPF_CORE_READ((struct sock *)ctx, __sk_common.skc_cookie.counter);
	found = cookie ? bpf_map_lookup_elem(&sluice_socks, &cookie) : NULL;
	if (!found)
		return PASS;
	inode = *found;
	if (bpf_map_delete_elem(&sluice_socks, &cookie))
		return PASS;
	open = bpf_map_lookup_elem(&sluice_netns, &inode);
	if (open)
		__sync_fetch_and_add(open, -1);
	number = cookie % SLUICE_HOLD_CLOSES;
	closes = bpf_map_lookup_elem(&sluice_closes, &number);
	if (closes)
		__sync_fetch_and_add(closes, 1);
	return PASS;
}

/* --- flows */

static __always_inline bool is_replaceable(const struct sluice_hold_flow *flow, __u64 cookie,
					   __u64 now)
{
	__u64 last = flow->out_ns > flow->in_ns ? flow->out_ns : flow->in_ns;

	if (!cookie || !bpf_map_lookup_elem(&sluice_socks, &cookie))
		return true;
	if (last > now)
		return false;
	return (max_ns && now - last > max_ns) || (!flow->in && now - last > UNANSWERED_NS);
}

/* Takes the slot from the flow that it was seen with. Returns false if another CPU was faster. */
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

/* Returns the next slot to look at, or 0. */
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
 * Takes the next slot from a replaceable flow. Returns SLOT_TAKEN if its flow is to stay, and
 * SLOT_NONE without a table. Global, not static: the verifier checks a global function once, not
 * once for each call.
 */
__noinline __u32 slot_replace(__u64 now)
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
	if (serial & 1 || !is_replaceable(flow, cookie, now) ||
	    !flow_claim(flow, slot, serial, cookie, &was))
		return SLOT_TAKEN;
	if (cookie) {
		bpf_map_delete_elem(&sluice_index, &was);
		count(SLUICE_HOLD_replaced);
	}
	return slot;
}

/* Returns a slot that belongs to this CPU until its serial is even again, or SLOT_NONE. */
static __always_inline __u32 slot_get(struct sluice_hold_alloc *alloc, __u64 now)
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
		slot = slot_replace(now);
		if (slot != SLOT_TAKEN)
			return slot;
	}
	count(SLUICE_HOLD_table_full);
	return SLOT_NONE;
}

static __always_inline struct sluice_hold_flow *flow_create(const struct sluice_hold_key *key,
							    __u64 cookie, __u64 now)
{
	struct sluice_hold_alloc *alloc = allocator();
	struct sluice_hold_flow *flow;
	struct sluice_hold_lock *lock;
	__u32 slot;

	if (!alloc)
		return NULL;
	if (!socket_add(cookie, key->netns)) {
		count(SLUICE_HOLD_no_socket);
		return NULL;
	}
	slot = slot_get(alloc, now);
	flow = slot ? flow_at(slot) : NULL;
	lock = lock_of(slot);
	if (!flow || !lock)
		return NULL;
	flow->key = *key;
	flow->out_ns = now;
	flow->in_ns = flow->answered_ns = flow->unreachable_ns = 0;
	flow->out = flow->in = 0;
	flow->in_ttl = 0;
	/* the lock orders this after the stores above: user space checks the serial */
	bpf_spin_lock(&lock->lock);
	flow->cookie = cookie;
	flow->serial++;
	bpf_spin_unlock(&lock->lock);
	if (bpf_map_update_elem(&sluice_index, key, &slot, BPF_NOEXIST)) {
		/* another CPU has added this flow: the slot is free again */
		bpf_spin_lock(&lock->lock);
		flow->cookie = 0;
		bpf_spin_unlock(&lock->lock);
		return NULL;
	}
	count(SLUICE_HOLD_flows);
	return flow;
}

static __always_inline struct sluice_hold_flow *flow_find(const struct sluice_hold_key *key,
							  __u32 *slot)
{
	__u32 *found = bpf_map_lookup_elem(&sluice_index, key);

	*slot = found ? *found : 0;
	return found ? flow_at(*slot) : NULL;
}

/* Another socket sends with the same addresses: its predecessor was closed, or shares the port. */
static __always_inline void flow_change_socket(struct sluice_hold_flow *flow, __u32 slot,
					       const struct sluice_hold_key *key, __u64 cookie)
{
	struct sluice_hold_lock *lock = lock_of(slot);

	if (!lock || !socket_add(cookie, key->netns))
		return;
	bpf_spin_lock(&lock->lock);
	if (flow->cookie)
		flow->cookie = cookie;
	bpf_spin_unlock(&lock->lock);
}

static __always_inline __u32 datagrams(const struct __sk_buff *skb)
{
	return skb->gso_segs > 1 ? skb->gso_segs : 1;
}

SEC("cgroup_skb/egress")
int sluice_hold_out(struct __sk_buff *skb)
{
	struct sluice_hold_key key = {};
	struct sluice_hold_flow *flow;
	struct bpf_sock *sk = skb->sk;
	__u64 cookie, now;
	__u32 slot;
	__u8 ttl;

	if (!sk || skb->ifindex == LOOPBACK_IFINDEX ||
	    !may_be_managed(skb, sk, offsetof(struct udphdr, dest)))
		return PASS;
	/* a keepalive leaves from a raw socket */
	sk = bpf_sk_fullsock(sk);
	if (!sk || sk->protocol != IPPROTO_UDP || !key_of(skb, true, &key, &ttl))
		return PASS;
	now = bpf_ktime_get_boot_ns();
	cookie = bpf_get_socket_cookie(skb);
	flow = flow_find(&key, &slot);
	if (!flow)
		flow = flow_create(&key, cookie, now);
	if (!flow)
		return PASS;
	if (flow->cookie != cookie)
		flow_change_socket(flow, slot, &key, cookie);
	flow->out_ns = now;
	__sync_fetch_and_add(&flow->out, datagrams(skb));
	if (flow->mark != sk->mark)
		flow->mark = sk->mark;
	if (flow->bound_if != sk->bound_dev_if)
		flow->bound_if = sk->bound_dev_if;
	if (flow->ifindex != skb->ifindex)
		flow->ifindex = skb->ifindex;
	return PASS;
}

SEC("cgroup_skb/ingress")
int sluice_hold_in(struct __sk_buff *skb)
{
	struct sluice_hold_key key = {};
	struct sluice_hold_flow *flow;
	struct bpf_sock *sk = skb->sk;
	__u64 now;
	__u32 slot;
	__u8 ttl;

	if (!sk || skb->ifindex == LOOPBACK_IFINDEX ||
	    !may_be_managed(skb, sk, offsetof(struct udphdr, source)) ||
	    !key_of(skb, false, &key, &ttl))
		return PASS;
	flow = flow_find(&key, &slot);
	if (!flow)
		return PASS;
	now = bpf_ktime_get_boot_ns();
	if (!flow->in) {
		flow->answered_ns = now;
		count(SLUICE_HOLD_answered);
	}
	__sync_fetch_and_add(&flow->in, datagrams(skb));
	flow->in_ns = now;
	flow->in_ttl = ttl;
	return PASS;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
