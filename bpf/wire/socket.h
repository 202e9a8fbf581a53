/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/*
 * Looks up this host's sockets and addresses: the socket that a request reaches, the socket that
 * has sent an answer, and whether an address is local. The programs look when they suspect a fault,
 * and never to predict what the kernel will do.
 */
#ifndef SLUICE_BPF_WIRE_SOCKET_H
#define SLUICE_BPF_WIRE_SOCKET_H

#include "common/addr.h"
#include "common/kernel.h"
#include "common/local_addr.h"
#include "common/settings.h"
#include "wire/kernel_ctx.h"
#include "wire/maps.h"
#include "wire/record.h"

#include <linux/in.h>

static __always_inline struct net *net_of(struct __sk_buff *skb)
{
	return BPF_CORE_READ((struct sk_buff *)skb, dev, nd_net.net);
}

static __always_inline __u32 host_genid(struct __sk_buff *skb, const struct sluice_addr *addr)
{
	return local_addr_generation((__u64)net_of(skb), addr_is_ip4(addr));
}

/* Returns the cookie of the socket that sends the packet, or 0. */
static __always_inline __u64 sender_cookie(struct __sk_buff *skb, bool kfuncs)
{
	__u64 cookie = 0;

	/* a packet that this host has sent to itself and forwards has the server's socket as well
	 */
	if (skb->ingress_ifindex)
		return 0;
	if (kfuncs && casts) {
		const struct sk_buff *kern = bpf_cast_to_kern_ctx(skb);
		const struct sock *sk = kern->sk;

		if (sk)
			cookie = sk->__sk_common.skc_cookie.counter;
	}
	/* the helper gives a cookie to a socket that has none yet */
	return likely(cookie) ? cookie : bpf_get_socket_cookie(skb);
}

/* Returns host_genid(). */
static __always_inline __u32 sender_genid(struct __sk_buff *skb, const struct sluice_addr *addr,
					  bool kfuncs)
{
	const struct sk_buff *kern;
	const struct net *net;

	if (!kfuncs || !casts)
		return host_genid(skb, addr);
	kern = bpf_cast_to_kern_ctx(skb);
	net = kern->dev->nd_net.net;
	if (addr_is_ip4(addr))
		return net->ipv4.dev_addr_genid.counter;
	return bpf_core_field_exists(net->ipv6) ? net->ipv6.dev_addr_genid.counter : 0;
}

/*
 * Is the address local to the host? @genid is host_genid(), read before the walk: if an address
 * changes during the walk, the cached result is already outdated.
 */
static __noinline bool addr_is_local(struct __sk_buff *skb, const struct sluice_addr *addr,
				     __u32 genid)
{
	__u64 hash = sluice_flow_mix(sluice_flow_mix(seed, addr->half[0]), addr->half[1]);
	__u32 index = hash >> 32 & (SLUICE_LOCAL_SLOTS - 1);
	struct sluice_local *known = bpf_map_lookup_elem(&sluice_w_local, &index);
	__u64 net = (__u64)net_of(skb);
	bool local;

	if (known && known->net == net && known->genid == genid && addr_equal(&known->addr, addr))
		return known->local;
	local = addr_is_ip4(addr) ? ip4_is_local(net, addr->word_be[3])
				  : ip6_is_local(net, addr->half[0], addr->half[1]);
	walk_allowed(!local);
	if (known) {
		known->addr = *addr;
		known->net = net;
		known->genid = genid;
		known->local = local;
	}
	return local;
}

/* --- the socket that a request reaches */

/* The result of a lookup; any other value is the kernel's address of an unconnected socket. */
enum socket_found {
	SOCKET_NONE,
	SOCKET_OTHER,	  /* connected, but requests must not be redirected to it */
	SOCKET_CONNECTED, /* to the peer, from an address that the kernel has chosen */
};

/*
 * The limit on upper devices to inspect: a bridge or bond, VLANs, macvlans, and those above the
 * first one.
 */
#define UPPER_STEPS 16

/*
 * Is @upper above @device? Global, not static: the verifier checks a global function once, not once
 * for each path.
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
 * Does the socket's cached route leave by the packet's device, or by one above it? Returns false
 * for a route with IPsec, since the programs cannot see encrypted replies.
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

/* With --port any, a socket whose port the kernel has chosen is a client's, as in mode socket. */
static __always_inline bool socket_is_client(struct sock *sk)
{
	return any_port && !(BPF_CORE_READ_BITFIELD_PROBED(sk, sk_userlocks) & SOCK_BINDPORT_LOCK);
}

/*
 * Finds the socket that would receive the datagram; @tuple is its source and destination. Returns
 * enum socket_found.
 */
static __noinline __u64 socket_find(struct __sk_buff *skb, struct bpf_sock_tuple *tuple, __u32 size)
{
	__u64 address, found = SOCKET_OTHER;
	volatile __u64 hidden;
	struct bpf_sock *sk;

	if (size == sizeof(tuple->ipv4))
		sk = bpf_sk_lookup_udp(skb, tuple, sizeof(tuple->ipv4), BPF_F_CURRENT_NETNS, 0);
	else
		sk = bpf_sk_lookup_udp(skb, tuple, sizeof(tuple->ipv6), BPF_F_CURRENT_NETNS, 0);
	if (!sk)
		return SOCKET_NONE;
	/* the verifier allows reads beyond struct bpf_sock only through a plain number */
	hidden = (__u64)(long)sk;
	if (!bpf_probe_read_kernel(&address, sizeof(address), (void *)&hidden)) {
		/* the kernel finds a connected socket only for the peer to which it is connected */
		if (!sk->dst_port)
			found = address;
		else if (!socket_chose_addr((struct sock *)address) &&
			 !socket_is_client((struct sock *)address) &&
			 socket_leaves_here(skb, (struct sock *)address))
			found = SOCKET_CONNECTED;
	}
	bpf_sk_release(sk);
	return found;
}

/* Finds the socket that would receive a datagram of the peer to @local, as socket_find() does. */
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

/*
 * --- the local address at which a socket is connected to the peer
 *
 * Both functions are global for the same reason as device_is_below(). They need not skip the
 * requested address: if it had a socket, there would be no search.
 */

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
			if (socket_find(skb, &tuple, sizeof(tuple.ipv4)) == SOCKET_CONNECTED)
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
			if (socket_find(skb, &tuple, sizeof(tuple.ipv6)) == SOCKET_CONNECTED)
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

/* Finds the address; leaves *found at 0 if there is none. */
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

/* --- the socket that has sent an answer */

enum sender {
	SENDER_OTHER,	  /* another host, or not the server's socket */
	SENDER_CHOSEN,	  /* a server that chooses its source, or could */
	SENDER_WILDCARD,  /* the kernel has chosen the source of the answer */
	SENDER_DEVICE,	  /* the same, for a socket that is bound to another device */
	SENDER_CONNECTED, /* the kernel has chosen it at connect(2) */
};

/*
 * Does the server read the destination of its requests? If so, it can choose the source of answers.
 */
static __always_inline bool socket_knows_target(struct sock *sk)
{
	struct inet_sock *inet = (struct inet_sock *)sk;
	struct inet_sock___cmsg_flags *old = (struct inet_sock___cmsg_flags *)sk;
	struct ipv6_pinfo *six;
	unsigned long flags;

	if (bpf_core_field_exists(inet->inet_flags))
		flags = BPF_CORE_READ(inet, inet_flags);
	else if (bpf_core_field_exists(old->cmsg_flags))
		flags = BPF_CORE_READ(old, cmsg_flags);
	else
		return true;
	if (flags & (INET_PKTINFO | INET_ORIGDSTADDR))
		return true;
	if (BPF_CORE_READ(sk, __sk_common.skc_family) != AF_INET6)
		return false;
	if (!bpf_core_field_exists(struct ipv6_pinfo, rxopt))
		return true;
	six = BPF_CORE_READ(inet, pinet6);
	return BPF_CORE_READ_BITFIELD_PROBED(six, rxopt.bits.rxinfo) |
	       BPF_CORE_READ_BITFIELD_PROBED(six, rxopt.bits.rxoinfo) |
	       BPF_CORE_READ_BITFIELD_PROBED(six, rxopt.bits.rxorigdstaddr);
}

/*
 * Classifies the socket that has sent a datagram, and stores the kernel's address of an unconnected
 * one. A forwarded or bridged packet may have a socket of another namespace, or one of this host
 * that has sent the packet through a veth pair.
 */
static __noinline enum sender sender_of(struct __sk_buff *skb, bool ip4, __be16 port_be,
					__u64 *socket)
{
	struct sock *sk = BPF_CORE_READ((struct sk_buff *)skb, sk);
	struct sluice_addr bound = {};

	if (skb->ingress_ifindex || !sk ||
	    BPF_CORE_READ(sk, __sk_common.skc_net.net) != net_of(skb) ||
	    BPF_CORE_READ(sk, sk_protocol) != IPPROTO_UDP ||
	    BPF_CORE_READ(sk, __sk_common.skc_num) != bpf_ntohs(port_be))
		return SENDER_OTHER;
	if (ip4)
		bound.word_be[3] = BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr);
	else
		BPF_CORE_READ_INTO(&bound, sk, __sk_common.skc_v6_rcv_saddr);
	if (socket_is_client(sk) || socket_knows_target(sk))
		return SENDER_CHOSEN;
	if (!addr_is_set(&bound)) {
		int device = BPF_CORE_READ(sk, __sk_common.skc_bound_dev_if);

		*socket = (__u64)sk;
		return device && device != (int)skb->ifindex ? SENDER_DEVICE : SENDER_WILDCARD;
	}
	if (!BPF_CORE_READ(sk, __sk_common.skc_dport) || socket_chose_addr(sk))
		return SENDER_CHOSEN;
	return SENDER_CONNECTED;
}

#endif
