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
#include <bpf/bpf_helpers.h>
#include <linux/in.h>

#define PASS 1

/* A flow without an answer may be replaced after this time: an answer takes seconds at most. */
#define UNANSWERED_NS 30000000000ULL
/* The number of slots that a new flow inspects to find a replaceable flow. */
#define SEARCH 32

/* A tick of the clock: 32 jiffies, which are 32 to 320 ms. */
#define TICK_SHIFT 5

/* Constants of this load, known to the verifier. */
const volatile __u32 netns;	/* inode number; 0: all */
const volatile __u32 table = 1; /* flows */
const volatile __u64 max_ns;	/* a flow this long without a datagram has ended; 0: never */

/*
 * Reading a clock costs as much as all the rest for a known flow. So its time is stored once a
 * tick, of the counter that needs no call: a keepalive may be early by a tick, but never late.
 */
static __always_inline __u32 clock_tick(void)
{
	return (__u32)(bpf_jiffies64() >> TICK_SHIFT);
}

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

/* Makes the daemon look up the sockets with this counter again. */
static __always_inline void count_close(__u64 cookie)
{
	__u32 number = cookie % SLUICE_HOLD_CLOSES;
	__u64 *closes = bpf_map_lookup_elem(&sluice_closes, &number);

	if (closes)
		__sync_fetch_and_add(closes, 1);
}

static __always_inline void socket_remove(__u64 cookie)
{
	struct sluice_hold_socket *found = bpf_map_lookup_elem(&sluice_socks, &cookie);
	struct sluice_hold_netns *tracked;
	__u32 inode;

	if (!found)
		return;
	inode = found->netns;
	if (bpf_map_delete_elem(&sluice_socks, &cookie))
		return;
	tracked = bpf_map_lookup_elem(&sluice_netns, &inode);
	if (tracked)
		__sync_fetch_and_add(&tracked->sockets, -1);
	count_close(cookie);
}

/*
 * Stores that a socket is open and sends from this port, and counts it in its namespace. Returns
 * false if there is no room.
 */
static __always_inline bool socket_add(__u64 cookie, const struct sluice_hold_key *key)
{
	struct sluice_hold_socket socket = { .netns = key->netns, .port_be = key->local_port_be };
	struct sluice_hold_socket *found = bpf_map_lookup_elem(&sluice_socks, &cookie);
	struct sluice_hold_netns none = {}, *tracked;

	if (found) {
		if (found->port_be != socket.port_be) {
			found->port_be = socket.port_be;
			count_close(cookie);
		}
		return true;
	}
	tracked = bpf_map_lookup_elem(&sluice_netns, &socket.netns);
	if (!tracked) {
		bpf_map_update_elem(&sluice_netns, &socket.netns, &none, BPF_NOEXIST);
		tracked = bpf_map_lookup_elem(&sluice_netns, &socket.netns);
	}
	if (tracked && !bpf_map_update_elem(&sluice_socks, &cookie, &socket, BPF_NOEXIST)) {
		__sync_fetch_and_add(&tracked->sockets, 1);
		return true;
	}
	/* another CPU may have added it */
	if (bpf_map_lookup_elem(&sluice_socks, &cookie))
		return true;
	count(SLUICE_HOLD_no_socket);
	return false;
}

SEC("cgroup/sock_release")
int sluice_closed(struct bpf_sock *ctx)
{
	__u64 cookie;

	if (ctx->protocol != IPPROTO_UDP)
		return PASS;
	cookie = BPF_CORE_READ((struct sock *)ctx, __sk_common.skc_cookie.counter);
	if (cookie)
		socket_remove(cookie);
	return PASS;
}

/* --- flows */

static __always_inline void count_flow(__u32 inode, int change)
{
	struct sluice_hold_netns *tracked = bpf_map_lookup_elem(&sluice_netns, &inode);

	if (tracked)
		__sync_fetch_and_add(&tracked->flows, change);
}

/* Does a namespace have more than half of the table? Then it must leave room for the others. */
static __always_inline bool has_most(__u32 inode)
{
	const struct sluice_hold_netns *tracked = bpf_map_lookup_elem(&sluice_netns, &inode);

	return tracked && tracked->flows > table / 2;
}

/* May a new flow of a namespace replace this one? */
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
 * Takes the next slot from a flow that a socket of namespace @inode may replace. Returns
 * SLOT_TAKEN if its flow is to stay, and SLOT_NONE without a table. Global, not static: the
 * verifier checks a global function once, not once for each call.
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

/* Returns the slot of the new flow, or 0. */
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
		return 0;
	}
	count_flow(key->netns, 1);
	count(SLUICE_HOLD_flows);
	return slot;
}

/*
 * Another socket sends with the same addresses: its predecessor was closed, or shares the port. Or
 * the socket has got back a port that it had before.
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

/* Returns the socket's last flow, if this is a datagram of it. */
static __always_inline struct sluice_hold_flow *flow_again(struct __sk_buff *skb,
							   const struct hold_sock *sock, bool out)
{
	struct sluice_hold_flow *flow = sock ? flow_at(sock->slot) : NULL;

	return flow && flow->cookie == sock->cookie && has_key(skb, out, &flow->key) ? flow : NULL;
}

static __always_inline __u32 netns_of(struct __sk_buff *skb)
{
	return BPF_CORE_READ(kernel_skb(skb), sk, __sk_common.skc_net.net, ns.inum);
}

/* Finds or creates the flow of an outgoing datagram, and makes it the socket's last one. */
static __always_inline struct sluice_hold_flow *flow_out(struct __sk_buff *skb, struct bpf_sock *sk,
							 struct hold_sock *sock)
{
	struct hold_sock fresh = {};
	struct sluice_hold_key key = {};
	struct sluice_hold_flow *flow;
	__u32 *found, slot;

	if (!key_of(skb, sk, true, &key))
		return NULL;
	key.netns = fresh.netns = sock ? sock->netns : netns_of(skb);
	fresh.cookie = sock ? sock->cookie : bpf_get_socket_cookie(skb);
	if (netns && key.netns != netns)
		return NULL;
	found = bpf_map_lookup_elem(&sluice_index, &key);
	slot = found ? *found : flow_create(fresh.cookie, &key);
	flow = slot ? flow_at(slot) : NULL;
	if (!flow)
		return NULL;
	if (flow->cookie != fresh.cookie || (sock && sock->port_be != key.local_port_be))
		flow_change_socket(slot, fresh.cookie, &key);
	if (!sock)
		sock = bpf_sk_storage_get(&sluice_sk, sk, &fresh, BPF_SK_STORAGE_GET_F_CREATE);
	if (sock) {
		sock->slot = slot;
		sock->port_be = key.local_port_be;
	}
	/* its time is stored in any case */
	flow->out_tick = 0;
	return flow;
}

/* Finds the flow of an incoming datagram. */
static __always_inline struct sluice_hold_flow *flow_in(struct __sk_buff *skb, struct bpf_sock *sk,
							struct hold_sock *sock)
{
	struct sluice_hold_key key = {};
	__u32 *found;

	if (!key_of(skb, sk, false, &key))
		return NULL;
	key.netns = sock ? sock->netns : netns_of(skb);
	found = bpf_map_lookup_elem(&sluice_index, &key);
	if (!found)
		return NULL;
	/* the answer is probably next */
	if (sock)
		sock->slot = *found;
	return flow_at(*found);
}

static __always_inline __u32 datagrams(const struct __sk_buff *skb)
{
	return skb->gso_segs > 1 ? skb->gso_segs : 1;
}

SEC("cgroup_skb/egress")
int sluice_hold_out(struct __sk_buff *skb)
{
	struct sluice_hold_flow *flow;
	struct bpf_sock *sk = sock_of(skb, true);
	struct hold_sock *sock;
	__u32 tick;

	if (!sk)
		return PASS;
	sock = bpf_sk_storage_get(&sluice_sk, sk, NULL, 0);
	flow = flow_again(skb, sock, true);
	if (!flow)
		flow = flow_out(skb, sk, sock);
	if (!flow)
		return PASS;
	tick = clock_tick();
	if (flow->out_tick != tick) {
		flow->out_ns = bpf_ktime_get_boot_ns();
		flow->out_tick = tick;
	}
	__sync_fetch_and_add(&flow->out, datagrams(skb));
	if (flow->mark != sk->mark)
		flow->mark = sk->mark;
	if (flow->bound_if != sk->bound_dev_if)
		flow->bound_if = sk->bound_dev_if;
	if (flow->ifindex != skb->ifindex)
		flow->ifindex = skb->ifindex;
	return PASS;
}

/* Records an answer after a silence, which may be the first. */
static __always_inline void answer_again(struct sluice_hold_flow *flow, __u32 tick)
{
	__u64 now = bpf_ktime_get_boot_ns();

	if (!flow->in) {
		flow->answered_ns = now;
		count(SLUICE_HOLD_answered);
	}
	flow->in_ns = now;
	flow->in_tick = tick;
}

SEC("cgroup_skb/ingress")
int sluice_hold_in(struct __sk_buff *skb)
{
	struct sluice_hold_flow *flow;
	struct bpf_sock *sk = sock_of(skb, false);
	struct hold_sock *sock;
	__u32 tick;
	__u8 ttl;

	if (!sk)
		return PASS;
	sock = bpf_sk_storage_get(&sluice_sk, sk, NULL, 0);
	flow = flow_again(skb, sock, false);
	if (!flow)
		flow = flow_in(skb, sk, sock);
	if (!flow)
		return PASS;
	tick = clock_tick();
	if (flow->in_tick != tick)
		answer_again(flow, tick);
	__sync_fetch_and_add(&flow->in, datagrams(skb));
	if (flow->unreachable_ns)
		flow->unreachable_ns = 0;
	ttl = ttl_of(skb);
	if (flow->in_ttl != ttl)
		flow->in_ttl = ttl;
	return PASS;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
