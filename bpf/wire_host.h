/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/*
 * What this host would do with a datagram: is it for one of its addresses, which socket gets it,
 * and which address would the answer leave from?  The kernel's own look-ups are asked; for routes,
 * where they are closed to programs (forwarding is off) or too old, what user space wrote into
 * sluice_w_routes.
 */
#ifndef SLUICE_WIRE_HOST_H
#define SLUICE_WIRE_HOST_H

#include "flow_table.h"
#include "wire_maps.h"
#include "wire_table.h"

/* Namespaces have a loopback device as number 1: routes looked up from it are those of the host. */
#define LOOPBACK_IFINDEX 1

/* include/uapi/linux/bpf.h of 6.10 */
#define FIB_LOOKUP_MARK (1U << 5)

/* --- routes and sockets, as the host has them */

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
	return bpf_fib_lookup(skb, fib, sizeof(*fib), flags | BPF_FIB_LOOKUP_SKIP_NEIGH);
}

/* The kernel does not look where forwarding is off, or does not know one of the flags. */
static __always_inline bool fib_declined(int result)
{
	return result < 0 || result == BPF_FIB_LKUP_RET_FWD_DISABLED ||
	       result == BPF_FIB_LKUP_RET_UNSUPP_LWT;
}

/*
 * Is it a unicast address of this host?  The kernel's look-up says no more than that a datagram
 * would not be forwarded: it may be for this host, for a whole network of it, or for nowhere,
 * without a route.  User space may not have heard of a new address yet; but where it knows of a way
 * to it, it must be the address that keeps it here.
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

/* The same, if it was known a moment ago to be another host's. */
static __always_inline bool addr_is_away(struct __sk_buff *skb, const struct sluice_addr *addr)
{
	struct sluice_away *away = away_slot(addr);
	__u32 now = clock();

	if (away && addr_equal(&away->addr, addr) && now - away->checked <= SLUICE_WIRE_RECHECK)
		return true;
	if (addr_is_local(skb, addr))
		return false;
	if (away) {
		away->addr = *addr;
		away->checked = now;
	}
	return true;
}

struct socket_found {
	enum socket_kind {
		SOCKET_NONE,
		SOCKET_WILDCARD,
		SOCKET_BOUND,	  /* to that address */
		SOCKET_CONNECTED, /* from that address to the client */
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

/* The socket that a datagram of that flow would come to, were it for `local`. */
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

/* The address that the kernel sends from to the client, if the socket leaves it open. */
static __noinline bool source_toward(struct __sk_buff *skb, const struct sluice_addr *client,
				     const struct socket_found *socket, struct sluice_addr *source)
{
	struct bpf_fib_lookup fib = { .ifindex = LOOPBACK_IFINDEX };
	__u32 flags = BPF_FIB_LOOKUP_SRC;
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
	/* what user space knows are the routes of a socket without a device and a mark */
	if (!fib_declined(result) || socket->ifindex || socket->mark)
		return false;
	count(SLUICE_WIRE_routes_by_table);
	route = route_known(client);
	if (!route || route->kind != SLUICE_ROUTE_AWAY)
		return false;
	*source = route->source;
	return addr_is_set(source);
}

/* include/uapi/linux/if_packet.h: to all, or to a group, by its Ethernet address */
static __always_inline bool is_shared(const struct __sk_buff *skb)
{
	return skb->pkt_type == 1 || skb->pkt_type == 2;
}

/* One that a datagram can go to and be answered from, in any scope but link-local. */
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

/*
 * Where a request to `asked` is to go: *server, which is `asked` where nothing is to be changed.
 * True if that holds for a while, so that it is worth remembering.
 */
static __noinline bool judge(struct __sk_buff *skb, const struct wire_key *key,
			     const struct sluice_addr *asked, struct sluice_addr *server,
			     enum sluice_wire_counter *outcome)
{
	struct socket_found at_asked, at_source;
	struct sluice_addr source;

	*outcome = SLUICE_WIRE_request_not_unicast;
	if (is_shared(skb) || !addr_is_plain(asked) || !addr_is_plain(&key->client))
		return false;
	*outcome = SLUICE_WIRE_request_not_local;
	if (addr_is_away(skb, asked))
		return false;
	socket_find(skb, key, asked, &at_asked);
	*outcome = SLUICE_WIRE_request_right;
	if (at_asked.kind == SOCKET_BOUND || at_asked.kind == SOCKET_CONNECTED)
		return true;
	*outcome = SLUICE_WIRE_request_no_source;
	if (!source_toward(skb, &key->client, &at_asked, &source))
		return false;
	*outcome = at_asked.kind ? SLUICE_WIRE_request_right : SLUICE_WIRE_request_no_socket;
	if (addr_equal(&source, asked))
		return at_asked.kind;
	socket_find(skb, key, &source, &at_source);
	if (at_source.kind == SOCKET_CONNECTED ||
	    (at_source.kind == SOCKET_WILDCARD && at_asked.kind == SOCKET_WILDCARD)) {
		*outcome = SLUICE_WIRE_request_rewritten;
		*server = source;
		return true;
	}
	if (at_asked.kind)
		*outcome = SLUICE_WIRE_request_other_socket;
	return at_asked.kind;
}

#endif
