/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/*
 * Looks up the socket that a request reaches. The programs look it up when they suspect a fault,
 * and never to predict what the kernel will do.
 */
#ifndef SLUICE_BPF_WIRE_SOCKET_H
#define SLUICE_BPF_WIRE_SOCKET_H

#include "common/addr.h"
#include "common/kernel.h"
#include "common/settings.h"
#include "wire/table.h"

#include <bpf/bpf_core_read.h>

/*
 * The limit on upper devices to inspect: a bridge or bond, VLANs, macvlans, and the devices above
 * the first upper device.
 */
#define UPPER_STEPS 16

/*
 * Returns true if @upper is above @device. Global, not static: the verifier checks a global
 * function once, not once for each path.
 */
__noinline int device_is_below(__u64 device, __u64 upper)
{
	struct net_device *master = NULL, *above;
	struct list_head *list = (void *)device +
				 bpf_core_field_offset(struct net_device, adj_list.upper);
	struct list_head *at = list;
	__u64 step;

	for (step = 0; step < UPPER_STEPS; step++) {
		/* as in ip4_walk() */
		asm volatile("" : "+r"(step));
		at = BPF_CORE_READ(at, next);
		if (at == list) {
			if (!master)
				return 0;
			list = at = (void *)master +
				    bpf_core_field_offset(struct net_device, adj_list.upper);
			master = NULL;
			continue;
		}
		above = BPF_CORE_READ(
			(struct netdev_adjacent *)((void *)at -
						   bpf_core_field_offset(struct netdev_adjacent,
									 list)),
			dev);
		if ((__u64)above == upper)
			return 1;
		if (!master)
			master = above;
	}
	return 0;
}

/*
 * Returns true if the socket's cached route leaves by the packet's device, or by a device above it.
 * Returns false for a route with IPsec, since the programs cannot parse encrypted replies.
 */
static __always_inline bool socket_leaves_here(struct __sk_buff *skb, struct sock *sk)
{
	__u64 device = (__u64)BPF_CORE_READ((struct sk_buff *)skb, dev);
	struct dst_entry *route = BPF_CORE_READ(sk, sk_dst_cache);
	__u64 to = (__u64)BPF_CORE_READ(route, dev);

	if (bpf_core_field_exists(route->xfrm) && BPF_CORE_READ(route, xfrm))
		return false;
	return to == device || device_is_below(device, to);
}

static __always_inline bool socket_chose_addr(struct sock *sk)
{
	return BPF_CORE_READ_BITFIELD_PROBED(sk, sk_userlocks) & SOCK_BINDADDR_LOCK;
}

/*
 * Returns true if, with --port any, the kernel has chosen the socket's port: the socket is then a
 * client's, as in mode socket.
 */
static __always_inline bool socket_is_client(struct sock *sk)
{
	return any_port && !(BPF_CORE_READ_BITFIELD_PROBED(sk, sk_userlocks) & SOCK_BINDPORT_LOCK);
}

/*
 * Finds the socket that would receive the datagram; @tuple is its source and destination. Returns
 * the socket as struct sluice_wire_flow stores it; 0 if there is none.
 */
static __noinline __u64 socket_find(struct __sk_buff *skb, struct bpf_sock_tuple *tuple, __u32 size)
{
	__u64 address, found = SLUICE_WIRE_CONNECTED;
	volatile __u64 hidden;
	struct bpf_sock *sk;

	if (size == sizeof(tuple->ipv4))
		sk = bpf_sk_lookup_udp(skb, tuple, sizeof(tuple->ipv4), BPF_F_CURRENT_NETNS, 0);
	else
		sk = bpf_sk_lookup_udp(skb, tuple, sizeof(tuple->ipv6), BPF_F_CURRENT_NETNS, 0);
	if (!sk)
		return 0;
	/* the verifier allows reads beyond struct bpf_sock only through a scalar */
	hidden = (__u64)(long)sk;
	if (!bpf_probe_read_kernel(&address, sizeof(address), (void *)&hidden)) {
		found = address;
		/* the kernel finds a connected socket only for the peer to which it is connected */
		if (sk->dst_port)
			found |= SLUICE_WIRE_CONNECTED;
		if (sk->dst_port && !socket_chose_addr((struct sock *)address) &&
		    !socket_is_client((struct sock *)address) &&
		    socket_leaves_here(skb, (struct sock *)address))
			found |= SLUICE_WIRE_BACK;
	}
	bpf_sk_release(sk);
	return found;
}

/*
 * Finds the socket that would receive a datagram from the peer to @local; returns the same as
 * socket_find().
 */
static __noinline __u64 socket_at(struct __sk_buff *skb, const struct wire_key *key,
				  const struct sluice_addr *local)
{
	struct bpf_sock_tuple tuple = {};

	if (addr_is_ip4(local)) {
		tuple.ipv4.saddr = key->peer.word_be[3];
		tuple.ipv4.daddr = local->word_be[3];
		tuple.ipv4.sport = key->peer_port_be;
		tuple.ipv4.dport = key->port_be;
		return socket_find(skb, &tuple, sizeof(tuple.ipv4));
	}
	__builtin_memcpy(tuple.ipv6.saddr, &key->peer, sizeof(key->peer));
	__builtin_memcpy(tuple.ipv6.daddr, local, sizeof(*local));
	tuple.ipv6.sport = key->peer_port_be;
	tuple.ipv6.dport = key->port_be;
	return socket_find(skb, &tuple, sizeof(tuple.ipv6));
}

#endif
