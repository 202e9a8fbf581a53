/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/*
 * Predicts how this host handles a datagram: whether an address is local, which socket receives,
 * and which source address the answer gets. Also detects sockets that chose their source
 * themselves. The predictions use the kernel's own lookups. Route lookups are unavailable to
 * programs while forwarding is off, and on old kernels; then sluice_w_routes is used.
 */
#ifndef SLUICE_BPF_WIRE_HOST_H
#define SLUICE_BPF_WIRE_HOST_H

#include "common/kernel.h"
#include "common/settings.h"
#include "wire/maps.h"
#include "wire/table.h"

#include <linux/if_ether.h>
#include <linux/in.h>

/* The ifindex of loopback in each namespace: lookups from there use the host's own routes. */
#define LOOPBACK_IFINDEX 1

/* include/uapi/linux/bpf.h of 6.10 */
#define FIB_LOOKUP_MARK (1U << 5)

/* include/uapi/linux/if_packet.h: broadcast, multicast or another host by Ethernet address */
#define PACKET_BROADCAST 1
#define PACKET_MULTICAST 2
#define PACKET_OTHERHOST 3

/* --- frames on the port of a bridge */

static __noinline void bridge_read(struct __sk_buff *skb, struct sluice_bridge *bridge)
{
	struct net_device *port = BPF_CORE_READ((struct sk_buff *)skb, dev), *master;
	struct list_head *list = (void *)port +
				 bpf_core_field_offset(struct net_device, adj_list.upper);
	struct list_head *first = BPF_CORE_READ(list, next);
	struct netdev_adjacent *upper = (void *)first -
					bpf_core_field_offset(struct netdev_adjacent, list);

	bridge->known = 0;
	if (first == list || !BPF_CORE_READ(upper, master))
		return;
	master = BPF_CORE_READ(upper, dev);
	bridge->known = !bpf_probe_read_kernel(bridge->address, sizeof(bridge->address),
					       BPF_CORE_READ(master, dev_addr));
}

static __always_inline bool ethernet_equal(const __u8 *a, const __u8 *b)
{
	__u8 differing = 0;
	int i;

#pragma unroll
	for (i = 0; i < ETH_ALEN; i++)
		differing |= a[i] ^ b[i];
	return !differing;
}

/* Returns the cached bridge of the port, or NULL if the kernel's types lack the fields. */
static __always_inline const struct sluice_bridge *bridge_of(struct __sk_buff *skb, __u32 now)
{
	__u32 port = skb->ifindex, index = port % SLUICE_BRIDGE_SLOTS;
	struct sluice_bridge *bridge;

	if (!bpf_core_field_exists(((struct netdev_adjacent *)0)->master))
		return NULL;
	bridge = bpf_map_lookup_elem(&sluice_w_bridge, &index);
	if (!bridge)
		return NULL;
	if (bridge->port != port || now - bridge->checked > SLUICE_WIRE_RECHECK) {
		bridge_read(skb, bridge);
		bridge->port = port;
		bridge->checked = now;
	}
	return bridge;
}

/*
 * Returns true if the bridge would deliver the frame to this host, and not to another port. Only
 * the Ethernet address decides: another host behind the bridge may have one of this host's IP
 * addresses. The kernel has compared it with the port's own address (skb->pkt_type), which the
 * bridge accepts as well. The bridge's address is read from the kernel, since it may change while
 * no loader runs.
 */
static __always_inline bool frame_is_local(struct __sk_buff *skb, __u32 now)
{
	const struct sluice_bridge *bridge;
	struct packet_ethhdr *eth;

	if (!(role & SLUICE_WIRE_PORT) || skb->pkt_type != PACKET_OTHERHOST)
		return true;
	bridge = bridge_of(skb, now);
	if (!bridge)
		return true;
	eth = (void *)(long)skb->data;
	if ((void *)(eth + 1) > (void *)(long)skb->data_end)
		return true;
	return bridge->known && ethernet_equal(eth->addrs, bridge->address);
}

/* --- the host's routes and sockets */

static __always_inline const struct sluice_route *route_known(const struct sluice_addr *addr)
{
	struct sluice_route_key key = { .prefix_len = 128 };

	__builtin_memcpy(key.word_be, addr, sizeof(key.word_be));
	return bpf_map_lookup_elem(&sluice_w_routes, &key);
}

static __always_inline int fib_lookup(struct __sk_buff *skb, struct bpf_fib_lookup *fib,
				      const struct sluice_addr *target, __u32 flags)
{
	if (addr_is_ip4(target)) {
		fib->family = AF_INET;
		fib->ipv4_dst = target->word_be[3];
	} else {
		fib->family = AF_INET6;
		__builtin_memcpy(fib->ipv6_dst, target, sizeof(*target));
	}
	return bpf_fib_lookup(skb, fib, sizeof(*fib), flags);
}

/* Returns true if forwarding is off, or if the kernel lacks one of the flags. */
static __always_inline bool fib_declined(int result)
{
	return result < 0 || result == BPF_FIB_LKUP_RET_FWD_DISABLED ||
	       result == BPF_FIB_LKUP_RET_UNSUPP_LWT;
}

/*
 * Returns true for a unicast address of this host. BPF_FIB_LKUP_RET_NOT_FWDED alone is ambiguous:
 * the address may be local, or within a local network, or have no route. User space may not have
 * seen a new address yet; but if it has a route to the address, only a local address explains
 * NOT_FWDED. Older kernels support the lookup without flags, too.
 */
static __noinline bool addr_is_local(struct __sk_buff *skb, const struct sluice_addr *addr)
{
	struct bpf_fib_lookup fib = { .ifindex = LOOPBACK_IFINDEX };
	int result = fib_lookup(skb, &fib, addr, 0);
	const struct sluice_route *route;

	if (!fib_declined(result) && result != BPF_FIB_LKUP_RET_NOT_FWDED)
		return false;
	route = route_known(addr);
	if (!route)
		return false;
	return route->kind == SLUICE_ROUTE_LOCAL ||
	       (route->kind == SLUICE_ROUTE_AWAY && result == BPF_FIB_LKUP_RET_NOT_FWDED);
}

static __always_inline struct sluice_away *away_slot(const struct sluice_addr *addr)
{
	__u64 hash = sluice_flow_mix(sluice_flow_mix(seed, addr->half[0]), addr->half[1]);
	__u32 index = hash >> 32 & (SLUICE_AWAY_SLOTS - 1);

	return bpf_map_lookup_elem(&sluice_w_away, &index);
}

/*
 * Returns true for an address of another host, cached for a moment. Without `trusting`, a cached
 * "local" is looked up again: a decision that will be cached must not rest on a cached one.
 */
static __noinline bool addr_is_away(struct __sk_buff *skb, const struct sluice_addr *addr,
				    bool trusting)
{
	struct sluice_away *away = away_slot(addr);
	__u32 now = clock();
	bool local;

	if (away && addr_equal(&away->addr, addr) && now - away->checked <= SLUICE_WIRE_RECHECK &&
	    (trusting || !away->local))
		return !away->local;
	local = addr_is_local(skb, addr);
	if (away) {
		away->addr = *addr;
		away->checked = now;
		away->local = local;
	}
	return !local;
}

struct socket_found {
	enum socket_kind {
		SOCKET_NONE,
		SOCKET_WILDCARD,
		SOCKET_BOUND,	  /* to the looked up address */
		SOCKET_CONNECTED, /* from the looked up address to the client */
	} kind;
	__u32 ifindex; /* SO_BINDTODEVICE, or 0 */
	__u32 mark;    /* SO_MARK, or 0 */
};

static __always_inline enum socket_kind socket_kind(const struct bpf_sock *sk, bool ip4)
{
	bool wildcard = ip4 ? !sk->src_ip4
			    : !(sk->src_ip6[0] | sk->src_ip6[1] | sk->src_ip6[2] | sk->src_ip6[3]);

	if (wildcard)
		return SOCKET_WILDCARD;
	return sk->dst_port ? SOCKET_CONNECTED : SOCKET_BOUND;
}

/* Finds the socket that would receive a datagram of this flow to @local. */
static __noinline void socket_find(struct __sk_buff *skb, const struct wire_key *key,
				   const struct sluice_addr *local, struct socket_found *found)
{
	bool ip4 = addr_is_ip4(local);
	struct bpf_sock_tuple tuple = {};
	struct bpf_sock *sk;
	__u32 size;

	if (ip4) {
		tuple.ipv4.saddr = key->client.word_be[3];
		tuple.ipv4.daddr = local->word_be[3];
		tuple.ipv4.sport = key->client_port_be;
		tuple.ipv4.dport = key->server_port_be;
		size = sizeof(tuple.ipv4);
	} else {
		__builtin_memcpy(tuple.ipv6.saddr, &key->client, sizeof(key->client));
		__builtin_memcpy(tuple.ipv6.daddr, local, sizeof(*local));
		tuple.ipv6.sport = key->client_port_be;
		tuple.ipv6.dport = key->server_port_be;
		size = sizeof(tuple.ipv6);
	}
	found->kind = SOCKET_NONE;
	found->ifindex = 0;
	found->mark = 0;
	sk = bpf_sk_lookup_udp(skb, &tuple, size, BPF_F_CURRENT_NETNS, 0);
	if (!sk)
		return;
	found->kind = socket_kind(sk, ip4);
	found->ifindex = sk->bound_dev_if;
	found->mark = sk->mark;
	bpf_sk_release(sk);
}

static __always_inline bool addr_is_set(const struct sluice_addr *addr)
{
	return addr_is_ip4(addr) ? addr->word_be[3] : addr->half[0] | addr->half[1];
}

static __always_inline void fib_source(const struct bpf_fib_lookup *fib, struct sluice_addr *source)
{
	if (fib->family == AF_INET)
		addr_map_ip4(source, fib->ipv4_src);
	else
		__builtin_memcpy(source, fib->ipv6_src, sizeof(*source));
}

/* Finds the source that the kernel chooses toward the client; false if there is none. */
static __noinline bool source_toward(struct __sk_buff *skb, const struct sluice_addr *client,
				     const struct socket_found *socket, struct sluice_addr *source)
{
	struct bpf_fib_lookup fib = { .ifindex = LOOPBACK_IFINDEX };
	__u32 flags = BPF_FIB_LOOKUP_SRC | BPF_FIB_LOOKUP_SKIP_NEIGH;
	const struct sluice_route *route;
	int result;

	if (socket->ifindex) {
		fib.ifindex = socket->ifindex;
		flags |= BPF_FIB_LOOKUP_OUTPUT;
	}
	if (socket->mark) {
		__builtin_memcpy(fib.smac, &socket->mark, sizeof(socket->mark));
		flags |= FIB_LOOKUP_MARK;
	}
	result = fib_lookup(skb, &fib, client, flags);
	if (result == BPF_FIB_LKUP_RET_SUCCESS || result == BPF_FIB_LKUP_RET_FRAG_NEEDED) {
		fib_source(&fib, source);
		return addr_is_set(source);
	}
	/* sluice_w_routes holds only the routes of a socket without device and mark */
	if (!fib_declined(result) || socket->ifindex || socket->mark)
		return false;
	count(SLUICE_WIRE_routes_by_table);
	route = route_known(client);
	if (!route || route->kind != SLUICE_ROUTE_AWAY)
		return false;
	*source = route->source;
	return addr_is_set(source);
}

static __always_inline bool is_shared(const struct __sk_buff *skb)
{
	return skb->pkt_type == PACKET_BROADCAST || skb->pkt_type == PACKET_MULTICAST;
}

/* Returns true for a unicast address that can be both destination and source, except link-local. */
static __always_inline bool addr_is_plain(const struct sluice_addr *addr)
{
	__u32 first;

	if (addr_is_ip4(addr)) {
		first = bpf_ntohl(addr->word_be[3]);
		/* 0/8, 127/8, 169.254/16, 224/3 */
		return first >> 24 && first >> 24 != 127 && first >> 16 != 0xa9fe &&
		       first >> 24 < 224;
	}
	first = bpf_ntohl(addr->word_be[0]);
	/* ::/64 with loopback and the like, fe80::/10, ff00::/8 */
	return addr->half[0] && first >> 24 != 0xff && !addr_is_link_local(addr);
}

/* Returns true for an --except address. Not inline: the caller's stack is full. */
static __noinline bool addr_is_excepted(const struct sluice_addr *addr)
{
	const struct sluice_route *route = route_known(addr);

	return route && route->kind == SLUICE_ROUTE_NONE;
}

/*
 * Decides where a request to @requested goes: to *server, which stays @requested if nothing needs a
 * change. Returns true if the decision is worth caching.
 */
static __noinline bool classify(struct __sk_buff *skb, const struct wire_key *key,
				const struct sluice_addr *requested, struct sluice_addr *server,
				enum sluice_wire_counter *outcome)
{
	struct socket_found at_requested, at_source;
	struct sluice_addr source;

	*outcome = SLUICE_WIRE_request_not_unicast;
	if (is_shared(skb) || !addr_is_plain(requested) || !addr_is_plain(&key->client))
		return false;
	*outcome = SLUICE_WIRE_request_not_local;
	if (addr_is_away(skb, requested, false))
		return false;
	socket_find(skb, key, requested, &at_requested);
	*outcome = SLUICE_WIRE_request_right;
	if (at_requested.kind == SOCKET_BOUND || at_requested.kind == SOCKET_CONNECTED)
		return true;
	*outcome = SLUICE_WIRE_request_no_source;
	if (!source_toward(skb, &key->client, &at_requested, &source) || addr_is_excepted(&source))
		return false;
	*outcome = at_requested.kind ? SLUICE_WIRE_request_right : SLUICE_WIRE_request_no_socket;
	if (addr_equal(&source, requested))
		return at_requested.kind;
	socket_find(skb, key, &source, &at_source);
	if (at_source.kind == SOCKET_CONNECTED ||
	    (at_source.kind == SOCKET_WILDCARD && at_requested.kind == SOCKET_WILDCARD)) {
		*outcome = SLUICE_WIRE_request_rewritten;
		*server = source;
		return true;
	}
	if (at_requested.kind)
		*outcome = SLUICE_WIRE_request_other_socket;
	return at_requested.kind;
}

/* --- flows that this host starts */

/*
 * Returns true if an unconnected UDP socket of this host sent the datagram. A forwarded or bridged
 * packet has an ingress_ifindex, and its socket may belong to another namespace.
 */
static __always_inline bool is_from_here(struct __sk_buff *skb, const struct ends *ends,
					 struct socket_found *socket)
{
	struct bpf_sock *sk;

	if (skb->ingress_ifindex)
		return false;
	sk = skb->sk;
	if (!sk)
		return false;
	sk = bpf_sk_fullsock(sk);
	/* answers find a connected socket by themselves */
	if (!sk || sk->protocol != IPPROTO_UDP || sk->dst_port ||
	    sk->src_port != bpf_ntohs(ends->source_port_be))
		return false;
	socket->ifindex = sk->bound_dev_if;
	socket->mark = sk->mark;
	return true;
}

/* Calls source_toward(), cached for a moment; returns false if that fails. */
static __always_inline bool source_cached(struct __sk_buff *skb, const struct sluice_addr *peer,
					  const struct socket_found *socket,
					  struct sluice_addr *source)
{
	__u64 hash = sluice_flow_mix(sluice_flow_mix(seed, peer->half[0]), peer->half[1]);
	__u32 index = hash >> 32 & (SLUICE_TOWARD_SLOTS - 1), now = clock();
	struct sluice_toward *toward = bpf_map_lookup_elem(&sluice_w_toward, &index);

	if (!toward)
		return false;
	if (now - toward->checked > SLUICE_WIRE_RECHECK || toward->ifindex != socket->ifindex ||
	    toward->mark != socket->mark || !addr_equal(&toward->peer, peer)) {
		struct sluice_addr found = {};

		if (!source_toward(skb, peer, socket, &found))
			__builtin_memset(&found, 0, sizeof(found));
		toward->peer = *peer;
		toward->source = found;
		toward->ifindex = socket->ifindex;
		toward->mark = socket->mark;
		toward->checked = now;
	}
	*source = toward->source;
	return addr_is_set(source);
}

/*
 * Returns true if a socket of this host sends from an address that the kernel would not choose.
 * Answers must then reach exactly that address; classify() would redirect them to the other.
 */
static __noinline bool source_is_chosen(struct __sk_buff *skb, const struct ends *ends)
{
	struct socket_found socket = {};
	struct sluice_addr source;

	return is_from_here(skb, ends, &socket) && addr_is_plain(&ends->target) &&
	       addr_is_plain(&ends->source) &&
	       source_cached(skb, &ends->target, &socket, &source) &&
	       !addr_equal(&source, &ends->source);
}

#endif
