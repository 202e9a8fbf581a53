/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/*
 * Searches for the local address at which a socket is connected to the peer, and limits the cost of
 * these searches.
 *
 * The walks are global functions for the same reason as device_is_below(). They need not skip the
 * requested address: a search runs only if no socket receives requests there.
 */
#ifndef SLUICE_BPF_WIRE_SEARCH_H
#define SLUICE_BPF_WIRE_SEARCH_H

#include "common/addr.h"
#include "common/ticks.h"
#include "wire/local_addr_cache.h"
#include "wire/record.h"
#include "wire/socket.h"

/*
 * Returns true if a search is due; the server may not have answered yet. With two requested
 * addresses, a search could only guess. @known is the socket that requests have reached so far, or
 * 0; if it is set, the last lookup was not a search.
 */
static __always_inline bool search_is_due(const struct wire_view *view, __u64 known)
{
	return !(view->flags & SLUICE_WIRE_SECOND) &&
	       (known || sluice_flow_idle(tick_clock(), view->routed) >= SLUICE_WIRE_SEARCH);
}

/* The limit on devices and addresses to walk, which bounds the cost of a search. */
#define SEARCH_STEPS 48

/* Returns the address, or 0. */
__noinline __u32 search4(struct __sk_buff *skb, __be32 peer, __be16 peer_port_be, __be16 port_be)
{
	struct net *net = net_of(skb);
	struct list_head *end = (void *)net + bpf_core_field_offset(struct net, dev_base_head);
	struct list_head *at = end;
	struct bpf_sock_tuple tuple = {};
	struct in_ifaddr *ifa = NULL;
	__u64 step;

	tuple.ipv4.saddr = peer;
	tuple.ipv4.sport = peer_port_be;
	tuple.ipv4.dport = port_be;
	for (step = 0; step < SEARCH_STEPS; step++) {
		asm volatile("" : "+r"(step));
		if (ifa) {
			tuple.ipv4.daddr = BPF_CORE_READ(ifa, ifa_local);
			if (socket_find(skb, &tuple, sizeof(tuple.ipv4)) & SLUICE_WIRE_BACK)
				return tuple.ipv4.daddr;
			ifa = BPF_CORE_READ(ifa, ifa_next);
		} else {
			at = BPF_CORE_READ(at, next);
			if (at == end)
				return 0;
			ifa = BPF_CORE_READ(
				(struct net_device *)((void *)at -
						      bpf_core_field_offset(struct net_device,
									    dev_list)),
				ip_ptr, ifa_list);
		}
	}
	return 0;
}

/* Returns the kernel's pointer to the address, or 0. */
__noinline __u64 search6(struct __sk_buff *skb, __u64 peer_high, __u64 peer_low,
			 __be16 peer_port_be, __be16 port_be)
{
	struct net *net = net_of(skb);
	struct list_head *end = (void *)net + bpf_core_field_offset(struct net, dev_base_head);
	struct list_head *at = end, *ifa = NULL, *last = NULL;
	struct bpf_sock_tuple tuple = {};
	__u64 step;

	((__u64 *)tuple.ipv6.saddr)[0] = peer_high;
	((__u64 *)tuple.ipv6.saddr)[1] = peer_low;
	tuple.ipv6.sport = peer_port_be;
	tuple.ipv6.dport = port_be;
	for (step = 0; step < SEARCH_STEPS && bpf_core_type_exists(struct inet6_ifaddr); step++) {
		asm volatile("" : "+r"(step));
		if (ifa != last) {
			void *addr = (void *)ifa -
				     bpf_core_field_offset(struct inet6_ifaddr, if_list) +
				     bpf_core_field_offset(struct inet6_ifaddr, addr);

			bpf_probe_read_kernel(tuple.ipv6.daddr, sizeof(tuple.ipv6.daddr), addr);
			if (socket_find(skb, &tuple, sizeof(tuple.ipv6)) & SLUICE_WIRE_BACK)
				return (__u64)addr;
			ifa = BPF_CORE_READ(ifa, next);
		} else {
			struct inet6_dev *ip6;

			at = BPF_CORE_READ(at, next);
			if (at == end)
				return 0;
			ip6 = BPF_CORE_READ(
				(struct net_device *)((void *)at -
						      bpf_core_field_offset(struct net_device,
									    dev_list)),
				ip6_ptr);
			last = (void *)ip6 + bpf_core_field_offset(struct inet6_dev, addr_list);
			ifa = ip6 ? BPF_CORE_READ(last, next) : last;
		}
	}
	return 0;
}

/* Finds the local address of a connected-back socket; leaves *found at 0 if there is none. */
static __always_inline void socket_search(struct __sk_buff *skb, const struct wire_key *key,
					  struct sluice_addr *found)
{
	__u64 place;

	if (addr_is_ip4(&key->peer)) {
		place = search4(skb, key->peer.word_be[3], key->peer_port_be, key->port_be);
		if (place)
			addr_map_ip4(found, place);
		walk_allowed(!place);
		return;
	}
	place = search6(skb, key->peer.half[0], key->peer.half[1], key->peer_port_be, key->port_be);
	if (place)
		bpf_probe_read_kernel(found, sizeof(*found), (void *)place);
	walk_allowed(!place);
}

#endif
