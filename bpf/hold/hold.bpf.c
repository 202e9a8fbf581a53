// SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause)
/*
 * Object hold: records when the datagrams of each flow of a managed UDP socket pass, so that the
 * daemon knows which NAT mappings are about to expire. The programs change no packet.
 *
 * sluice_hold_out creates flows; sluice_hold_in only updates them. So a flow's first incoming
 * datagram is an answer, and a flood from spoofed sources creates no flow that gets keepalives.
 * sluice_closed removes closed sockets from sluice_socks; a flow whose socket is not in
 * sluice_socks has ended.
 */
#include "common/kernel.h"
#include "hold/datagram.h"
#include "hold/maps.h"
#include "hold/sockets.h"
#include "hold/table.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <linux/in.h>

#define PASS 1

/* A tick of the clock: 32 jiffies, which are 32 to 320 ms. */
#define TICK_SHIFT 5

/* A constant of this load, known to the verifier. */
const volatile __u32 netns; /* inode number; 0: all */

/*
 * Returns the current tick, from a counter that needs no call. Reading a clock would double the
 * cost of a datagram of a known flow, so the programs store the time once per tick. A keepalive may
 * therefore be a tick early, but never late.
 */
static __always_inline __u32 clock_tick(void)
{
	return (__u32)(bpf_jiffies64() >> TICK_SHIFT);
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

/* Returns the socket's last flow if the datagram belongs to it, otherwise NULL. */
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

/* Finds or creates the flow of an outgoing datagram, and makes it the socket's last flow. */
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
	/* makes the caller store the time */
	flow->out_tick = 0;
	return flow;
}

/* Finds the flow of an incoming datagram, and makes it the socket's last flow. */
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
	/* the socket's next datagram is probably the reply */
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

/* Records the time of an answer; called for the first answer of each tick. */
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
