// SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause)
/*
 * reply, wire mode: requests are sent on to the address that the server answers from, and answers
 * get back the address that the client had asked, both before conntrack.
 *
 *	               as a host                            as a gateway
 *	client ── iface [server on this host]      client ── this host ── iface [server elsewhere]
 *	ingress: target A -> S                     egress:  target B1 -> B2, once B2 has answered
 *	egress:  source S -> A                     ingress: source B2 -> B1
 *
 * As a host, S is what the kernel would answer from: its own route look-up says so (kernel 6.7,
 *with forwarding on), else the routes that user space put into sluice_w_routes.  The target is
 *rewritten too, and not the source of answers alone, since a server that connects its socket back
 *to the client would not be found at A any more, and since conntrack must see one pair of
 *addresses. As a gateway, the server is known when it has answered.
 *
 * A decision holds for a quarter of a second for its flow; in between a datagram costs a parse and
 *a look-up in the flow table.  Rejected: deciding for each datagram (two route and two socket
 * look-ups), and for the life of the flow (routes, addresses and sockets change).
 *
 * One program each for ingress and egress, loaded once for each kind of interface with `role` as a
 * constant: what a kind has no use for is not in it.  Errors of ICMP about a rewritten datagram
 * quote it, and are translated the other way.  The checksum helpers know about checksum offload and
 * segmentation offload.
 *
 * A program that is unsure lets the packet pass unchanged.
 */
#include "flow_table.h"
#include "kernel.h"
#include "wire_maps.h"

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/pkt_cls.h>
#include <sluice/checksum.h>
#include <sluice/packet.h>
#include <stdbool.h>
#include <stddef.h>

/* For tcx TCX_NEXT, for cls_bpf "the next filter": who comes after us sees the packet as well. */
#define PASS TC_ACT_UNSPEC

/* The headers of an ICMP error and of what it quotes fit in. */
#define PULL_SIZE 512

/* Namespaces have a loopback device as number 1: routes looked up from it are those of the host. */
#define LOOPBACK_IFINDEX 1

/* include/uapi/linux/bpf.h of 6.10 */
#define FIB_LOOKUP_MARK (1U << 5)

const volatile __u32 role; /* enum sluice_wire_role */

/* --- what a packet is */

enum heard_kind {
	HEARD_NOTHING, /* that we would have to do with */
	HEARD_DATAGRAM,
	HEARD_LATER_FRAGMENT,
	HEARD_ERROR, /* of ICMP, and the datagram that it quotes */
};

/* The ends of a datagram; of a later fragment the ports are 0. */
struct ends {
	struct sluice_addr source;
	struct sluice_addr target;
	__be16 source_port_be;
	__be16 target_port_be;
	__u32 l3_off;
	__u32 l4_off;
};

struct heard {
	struct ends outer;  /* of an error no ports */
	struct ends quoted; /* of an error only */
	__be32 fragment_id_be;
	__u8 kind; /* enum heard_kind */
	__u8 version;
	__u8 fragment; /* enum packet_fragment */
	__u8 fragment_protocol;
};

static __always_inline void ends_of(struct ends *ends, const struct packet_ip *ip)
{
	ends->source = addr_of(&ip->saddr);
	ends->target = addr_of(&ip->daddr);
	ends->l3_off = ip->l3_off;
	ends->l4_off = ip->l4_off;
}

static __always_inline void ports_of(struct ends *ends, const struct packet_udp *udp)
{
	ends->source_port_be = udp->source_be;
	ends->target_port_be = udp->dest_be;
}

static __always_inline enum packet_verdict hear_error(struct packet_cursor *cursor,
						      const struct packet_ip *outer,
						      struct heard *heard)
{
	enum packet_verdict verdict;
	struct packet_icmp_error error;
	struct packet_ip ip;
	struct packet_udp udp;

	if (outer->fragment != PACKET_UNFRAGMENTED)
		return PACKET_NOT_ICMP_ERROR;
	verdict = packet_parse_icmp_error(cursor, outer, &error);
	if (verdict == PACKET_OK)
		verdict = packet_parse_ip(cursor, PACKET_QUOTED, &ip);
	if (verdict == PACKET_OK)
		verdict = packet_parse_udp(cursor, &ip, &udp);
	if (verdict != PACKET_OK)
		return verdict == PACKET_NO_L4 ? PACKET_NOT_UDP : verdict;
	if (ip.addresses_fixed)
		return PACKET_NOT_UDP;
	heard->kind = HEARD_ERROR;
	ends_of(&heard->quoted, &ip);
	ports_of(&heard->quoted, &udp);
	return PACKET_OK;
}

static __always_inline enum packet_verdict hear_datagram(struct packet_cursor *cursor,
							 const struct packet_ip *ip,
							 struct heard *heard)
{
	enum packet_verdict verdict;
	struct packet_udp udp;

	verdict = packet_parse_udp(cursor, ip, &udp);
	if (verdict == PACKET_OK) {
		heard->kind = HEARD_DATAGRAM;
		ports_of(&heard->outer, &udp);
	} else if (verdict == PACKET_NO_L4) {
		heard->kind = HEARD_LATER_FRAGMENT;
		verdict = PACKET_OK;
	}
	return verdict;
}

/* The test that lets TCP and the like pass early: the first protocol number of the IP header. */
static __always_inline bool may_concern_us(const struct packet_cursor *cursor)
{
	const struct packet_iphdr *ip4 = packet_at(cursor, cursor->off, sizeof(*ip4));
	__u8 protocol;

	if (!ip4)
		return true;
	if (*(const __u8 *)ip4 >> 4 == 4) {
		protocol = ip4->h.protocol;
		return protocol == IPPROTO_UDP || protocol == IPPROTO_ICMP;
	}
	protocol = ((const struct packet_ipv6hdr *)ip4)->h.nexthdr;
	return protocol != IPPROTO_TCP;
}

/* PACKET_OK also for what is none of our business: then heard->kind is HEARD_NOTHING. */
static __noinline int hear(struct __sk_buff *skb, struct heard *heard)
{
	struct packet_cursor cursor = packet_begin((void *)(long)skb->data,
						   (void *)(long)skb->data_end, skb->len,
						   role & SLUICE_WIRE_ETHERNET ? 0 : skb->protocol);
	enum packet_verdict verdict = PACKET_OK;
	struct packet_ip ip;

	if (role & SLUICE_WIRE_ETHERNET)
		verdict = packet_parse_eth(&cursor);
	if (verdict == PACKET_OK && !may_concern_us(&cursor))
		return PACKET_OK;
	if (verdict == PACKET_OK)
		verdict = packet_parse_ip(&cursor, PACKET_WHOLE, &ip);
	if (verdict != PACKET_OK)
		return verdict;
	ends_of(&heard->outer, &ip);
	heard->version = ip.version;
	heard->fragment = ip.fragment;
	heard->fragment_id_be = ip.fragment_id_be;
	heard->fragment_protocol = ip.version == 4 ? ip.protocol : 0;
	if (ip.protocol == (ip.version == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6))
		verdict = hear_error(&cursor, &ip, heard);
	else
		verdict = hear_datagram(&cursor, &ip, heard);
	if (verdict == PACKET_OK && ip.addresses_fixed) {
		heard->kind = HEARD_NOTHING;
		count(SLUICE_WIRE_skipped_signed);
	}
	return verdict;
}

/* Reads the headers, of which a part may lie outside the linear part of the packet. */
static __always_inline enum heard_kind packet_hear(struct __sk_buff *skb, struct heard *heard)
{
	int verdict = hear(skb, heard);

	if (verdict == PACKET_TRUNCATED && skb->data_end - skb->data < skb->len) {
		__u32 size = skb->len < PULL_SIZE ? skb->len : PULL_SIZE;

		if (bpf_skb_pull_data(skb, size)) {
			count(SLUICE_WIRE_failed);
			return HEARD_NOTHING;
		}
		verdict = hear(skb, heard);
	}
	if (verdict == PACKET_OK)
		return heard->kind;
	if (verdict != PACKET_NOT_IP && verdict != PACKET_NOT_UDP &&
	    verdict != PACKET_NOT_ICMP_ERROR)
		count(SLUICE_WIRE_skipped_header);
	return HEARD_NOTHING;
}

/* --- changing a packet */

static __always_inline bool change_ip4(struct __sk_buff *skb, __u32 l3_off,
				       enum sluice_wire_end end, const struct sluice_addr *to,
				       __wsum difference)
{
	__u32 at = end == SLUICE_WIRE_SOURCE ? offsetof(struct iphdr, saddr)
					     : offsetof(struct iphdr, daddr);

	return !bpf_l3_csum_replace(skb, l3_off + offsetof(struct iphdr, check), 0, difference,
				    0) &&
	       !bpf_skb_store_bytes(skb, l3_off + at, &to->word_be[3], sizeof(__be32),
				    BPF_F_INVALIDATE_HASH);
}

static __always_inline bool change_ip6(struct __sk_buff *skb, __u32 l3_off,
				       enum sluice_wire_end end, const struct sluice_addr *to)
{
	__u32 at = end == SLUICE_WIRE_SOURCE ? offsetof(struct ipv6hdr, saddr)
					     : offsetof(struct ipv6hdr, daddr);

	return !bpf_skb_store_bytes(skb, l3_off + at, to, sizeof(*to), BPF_F_INVALIDATE_HASH);
}

/* The checksum whose pseudo-header covers the addresses of the outer header. */
struct covering {
	__u32 off; /* 0: there is none */
	__u64 flags;
};

static __always_inline struct covering covering_check(const struct heard *heard)
{
	struct covering check = {};

	if (heard->kind == HEARD_DATAGRAM) {
		check.off = heard->outer.l4_off + offsetof(struct udphdr, check);
		/* no checksum stays none */
		check.flags = BPF_F_PSEUDO_HDR | BPF_F_MARK_MANGLED_0;
	} else if (heard->kind == HEARD_ERROR && heard->version == 6) {
		check.off = heard->outer.l4_off + offsetof(struct icmp6hdr, icmp6_cksum);
		check.flags = BPF_F_PSEUDO_HDR;
	}
	return check;
}

/*
 * Changes an address of the outer header, and the checksums that cover it.  With CHECKSUM_COMPLETE,
 * bpf_l4_csum_replace() takes it for granted that the checksum of an IPv4 header makes up for the
 * address, which IPv6 has not got: bpf_csum_update() puts that right (BPF_F_IPV6 is for the same,
 * but from 6.16 only).
 */
static __noinline bool change_address(struct __sk_buff *skb, const struct heard *heard,
				      enum sluice_wire_end end, const struct sluice_addr *to)
{
	const struct sluice_addr *from = end == SLUICE_WIRE_SOURCE ? &heard->outer.source
								   : &heard->outer.target;
	struct covering check = covering_check(heard);
	struct in6_addr before, after;
	__wsum difference;

	__builtin_memcpy(&before, from, sizeof(before));
	__builtin_memcpy(&after, to, sizeof(after));
	difference = checksum_difference(&before, &after);
	if (check.off && bpf_l4_csum_replace(skb, check.off, 0, difference, check.flags))
		return false;
	if (heard->version == 4)
		return change_ip4(skb, heard->outer.l3_off, end, to, difference);
	bpf_csum_update(skb, difference);
	return change_ip6(skb, heard->outer.l3_off, end, to);
}

/* A checksum inside the quoted packet; what changes with it goes into *change. */
static __always_inline bool change_quoted_check(struct __sk_buff *skb, __u32 off, __wsum difference,
						bool udp, __wsum *change)
{
	__sum16 before, after;

	if (bpf_skb_load_bytes(skb, off, &before, sizeof(before)))
		return false;
	after = udp ? checksum_replace_udp(before, difference)
		    : checksum_replace(before, difference);
	*change = checksum_fold((__u64)*change + checksum_difference16(before, after));
	return !bpf_skb_store_bytes(skb, off, &after, sizeof(after), 0);
}

/* Changes an address in the quoted packet, its own checksums, and the ICMP checksum over all. */
static __noinline bool change_quoted(struct __sk_buff *skb, const struct heard *heard,
				     enum sluice_wire_end end, const struct sluice_addr *to)
{
	const struct ends *quoted = &heard->quoted;
	const struct sluice_addr *from = end == SLUICE_WIRE_SOURCE ? &quoted->source
								   : &quoted->target;
	__u32 check_off = heard->outer.l4_off + offsetof(struct icmp6hdr, icmp6_cksum);
	struct in6_addr before, after;
	__wsum difference, change;
	bool done;

	__builtin_memcpy(&before, from, sizeof(before));
	__builtin_memcpy(&after, to, sizeof(after));
	change = difference = checksum_difference(&before, &after);
	done = change_quoted_check(skb, quoted->l4_off + offsetof(struct udphdr, check), difference,
				   true, &change);
	if (!done)
		return false;
	if (heard->version == 4)
		done = change_quoted_check(skb, quoted->l3_off + offsetof(struct iphdr, check),
					   difference, false, &change) &&
		       !bpf_skb_store_bytes(skb,
					    quoted->l3_off +
						    (end == SLUICE_WIRE_SOURCE
							     ? offsetof(struct iphdr, saddr)
							     : offsetof(struct iphdr, daddr)),
					    &to->word_be[3], sizeof(__be32), 0);
	else
		done = !bpf_skb_store_bytes(skb,
					    quoted->l3_off +
						    (end == SLUICE_WIRE_SOURCE
							     ? offsetof(struct ipv6hdr, saddr)
							     : offsetof(struct ipv6hdr, daddr)),
					    to, sizeof(*to), 0);
	return done && !bpf_l4_csum_replace(skb, check_off, 0, change, 0);
}

/* --- the flow table */

struct wire_key {
	struct sluice_addr client;
	__be16 client_port_be;
	__be16 server_port_be;
	__u32 zone;
	__u64 hash;
};

struct wire_view {
	struct sluice_addr asked;
	struct sluice_addr server;
	__u32 seen;
	__u32 checked;
	__u32 seal;
	__u32 way;
};

static __always_inline __u32 zone_of(const struct __sk_buff *skb, bool gateway)
{
	if (gateway)
		return skb->ifindex | SLUICE_WIRE_ZONE_GATEWAY;
	return role & SLUICE_WIRE_PORT ? skb->ifindex : 0;
}

static __always_inline struct sluice_wire_set *wire_set(struct wire_key *key)
{
	__u32 index;

	key->hash = sluice_wire_hash(seed, &key->client, key->client_port_be, key->server_port_be,
				     key->zone);
	index = sluice_flow_set_index(key->hash, sets);
	return bpf_map_lookup_elem(&sluice_w_flows, &index);
}

static __always_inline bool wire_is(const void *slot, const void *named)
{
	const struct sluice_wire_flow *flow = slot;
	const struct wire_key *key = named;

	return flow->client_port_be == key->client_port_be &&
	       flow->server_port_be == key->server_port_be && flow->zone == key->zone &&
	       addr_equal(&flow->client, &key->client);
}

static __always_inline __u32 wire_find(const struct sluice_wire_set *set,
				       const struct wire_key *key)
{
	return set_find(set->tag, sluice_flow_tag(key->hash), set->flow, sizeof(*set->flow),
			wire_is, key);
}

/* False if there is no such flow. Each field is read once: what is checked is what is used. */
static __always_inline bool wire_copy(const struct sluice_wire_set *set, const struct wire_key *key,
				      struct wire_view *view)
{
	__u32 way = wire_find(set, key);
	const volatile struct sluice_wire_flow *flow;

	if (way >= SLUICE_FLOW_WAYS)
		return false;
	flow = &set->flow[way];
	view->asked.half[0] = flow->asked.half[0];
	view->asked.half[1] = flow->asked.half[1];
	view->server.half[0] = flow->server.half[0];
	view->server.half[1] = flow->server.half[1];
	view->checked = flow->checked;
	view->seal = flow->seal;
	view->seen = set->seen[way];
	view->way = way;
	return true;
}

static __always_inline bool wire_sealed(const struct wire_key *key, const struct wire_view *view)
{
	return view->seal == sluice_wire_seal(key->hash, &view->asked, &view->server);
}

/* Without the lock unless the flow is changing (include/sluice/flow.h); false if not known. */
static __always_inline bool wire_read(struct sluice_wire_set *set, const struct wire_key *key,
				      struct wire_view *view)
{
	bool found = wire_copy(set, key, view);

	if (!found || wire_sealed(key, view))
		return found;
	bpf_spin_lock(&set->lock);
	found = wire_copy(set, key, view);
	bpf_spin_unlock(&set->lock);
	return found;
}

/* Should the slot change hands meanwhile, its new owner was heard just now as well. */
static __always_inline void wire_touch(struct sluice_wire_set *set, const struct wire_view *view,
				       __u32 now)
{
	if (view->seen != now)
		set->seen[view->way % SLUICE_FLOW_WAYS] = now;
}

static __noinline void wire_store(struct sluice_wire_set *set, const struct wire_key *key,
				  const struct sluice_addr *asked, const struct sluice_addr *server,
				  __u32 now)
{
	struct sluice_wire_flow fresh = {
		.client = key->client,
		.asked = *asked,
		.server = *server,
		.client_port_be = key->client_port_be,
		.server_port_be = key->server_port_be,
		.zone = key->zone,
		.checked = now,
		.seal = sluice_wire_seal(key->hash, asked, server),
	};
	int outcome = SLUICE_WIRE_moved;
	struct sluice_wire_flow *flow;
	__u32 way;

	bpf_spin_lock(&set->lock);
	way = wire_find(set, key);
	if (way < SLUICE_FLOW_WAYS) {
		flow = &set->flow[way];
		if (addr_equal(&flow->asked, asked) && addr_equal(&flow->server, server))
			outcome = -1;
	} else {
		way = set_oldest(set->tag, set->seen, now);
		flow = &set->flow[way];
		outcome = set->tag[way] && now - set->seen[way] <= age ? SLUICE_WIRE_evicted
								       : SLUICE_WIRE_learned;
	}
	*flow = fresh;
	set->tag[way] = sluice_flow_tag(key->hash);
	set->seen[way] = now;
	bpf_spin_unlock(&set->lock);
	if (outcome >= 0)
		count(outcome);
}

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

/* --- requests, toward the server */

/* What becomes of a datagram. */
struct change {
	struct sluice_addr to;
	__u32 end; /* enum sluice_wire_end */
	enum sluice_wire_counter outcome;
};

static __always_inline void request_key(struct __sk_buff *skb, const struct ends *ends,
					bool gateway, struct wire_key *key)
{
	key->client = ends->source;
	key->client_port_be = ends->source_port_be;
	key->server_port_be = ends->target_port_be;
	key->zone = zone_of(skb, gateway);
}

static __always_inline void reply_key(struct __sk_buff *skb, const struct ends *ends, bool gateway,
				      struct wire_key *key)
{
	key->client = ends->target;
	key->client_port_be = ends->target_port_be;
	key->server_port_be = ends->source_port_be;
	key->zone = zone_of(skb, gateway);
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
	if (!addr_is_local(skb, asked))
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

static __always_inline bool view_fresh(const struct wire_view *view, __u32 now)
{
	return now - view->checked <= SLUICE_WIRE_RECHECK && now - view->seen <= age;
}

/* A datagram that came in, to a server on this host perhaps. */
static __always_inline void request_to_host(struct __sk_buff *skb, const struct ends *ends,
					    struct change *change)
{
	struct sluice_wire_set *set;
	struct wire_view view = {};
	struct wire_key key = {};
	__u32 now = clock();

	request_key(skb, ends, false, &key);
	set = wire_set(&key);
	if (!set)
		return;
	change->to = ends->target;
	if (wire_read(set, &key, &view) && addr_equal(&view.asked, &ends->target) &&
	    view_fresh(&view, now)) {
		wire_touch(set, &view, now);
		change->to = view.server;
		change->outcome = addr_equal(&view.server, &view.asked)
					  ? SLUICE_WIRE_request_right
					  : SLUICE_WIRE_request_rewritten;
	} else if (judge(skb, &key, &ends->target, &change->to, &change->outcome)) {
		wire_store(set, &key, &ends->target, &change->to, now);
	}
	if (!addr_equal(&change->to, &ends->target))
		change->end = SLUICE_WIRE_TARGET;
}

static __always_inline bool addr_is_server(const struct sluice_addr *addr)
{
	return bpf_map_lookup_elem(&sluice_w_server, addr);
}

/*
 * A datagram on its way to the server behind this gateway.  Once the server has answered from
 * another address, its socket may be connected there: so further requests go to that one.
 */
static __always_inline void request_to_server(struct __sk_buff *skb, const struct ends *ends,
					      struct change *change)
{
	struct sluice_wire_set *set;
	struct wire_view view = {};
	struct wire_key key = {};
	__u32 now = clock();
	bool known;

	if (!addr_is_server(&ends->target))
		return;
	request_key(skb, ends, true, &key);
	set = wire_set(&key);
	if (!set)
		return;
	change->to = ends->target;
	known = wire_read(set, &key, &view) && now - view.seen <= age;
	if (known)
		change->to = view.server;
	if (known && addr_equal(&view.asked, &ends->target))
		wire_touch(set, &view, now);
	else
		wire_store(set, &key, &ends->target, &change->to, now);
	change->outcome = SLUICE_WIRE_request_right;
	if (!addr_equal(&change->to, &ends->target)) {
		change->outcome = SLUICE_WIRE_request_rewritten;
		change->end = SLUICE_WIRE_TARGET;
	}
}

/* --- replies, toward the client */

/* The flow that a reply belongs to; false, and why, if it is none that we know. */
static __always_inline bool reply_flow(struct sluice_wire_set *set, const struct wire_key *key,
				       __u32 now, struct wire_view *view, struct change *change)
{
	change->outcome = SLUICE_WIRE_reply_no_flow;
	if (!wire_read(set, key, view))
		return false;
	change->outcome = SLUICE_WIRE_reply_expired;
	return now - view->seen <= age;
}

/* It leaves from the address that the client had asked. */
static __always_inline void reply_from(const struct sluice_addr *asked, const struct ends *ends,
				       struct change *change)
{
	change->outcome = SLUICE_WIRE_reply_right;
	if (addr_equal(asked, &ends->source))
		return;
	change->outcome = SLUICE_WIRE_reply_rewritten;
	change->to = *asked;
	change->end = SLUICE_WIRE_SOURCE;
}

/* A datagram that goes out, of a server on this host perhaps. */
static __always_inline void reply_of_host(struct __sk_buff *skb, const struct ends *ends,
					  struct change *change)
{
	struct sluice_wire_set *set;
	struct wire_view view = {};
	struct wire_key key = {};
	__u32 now = clock();

	reply_key(skb, ends, false, &key);
	set = wire_set(&key);
	if (!set)
		return;
	if (!reply_flow(set, &key, now, &view, change))
		return;
	wire_touch(set, &view, now);
	if (addr_equal(&view.server, &ends->source) || addr_equal(&view.asked, &ends->source))
		reply_from(&view.asked, ends, change);
	else
		change->outcome = SLUICE_WIRE_reply_other_source;
}

/* A datagram that came in from the server behind this gateway perhaps. */
static __always_inline void reply_of_server(struct __sk_buff *skb, const struct ends *ends,
					    struct change *change)
{
	struct sluice_wire_set *set;
	struct wire_view view = {};
	struct wire_key key = {};
	__u32 now = clock();

	if (!addr_is_server(&ends->source))
		return;
	reply_key(skb, ends, true, &key);
	set = wire_set(&key);
	if (!set)
		return;
	if (!reply_flow(set, &key, now, &view, change))
		return;
	if (addr_equal(&view.server, &ends->source))
		wire_touch(set, &view, now);
	else
		wire_store(set, &key, &view.asked, &ends->source, now);
	reply_from(&view.asked, ends, change);
}

/* --- fragments */

struct fragment_key {
	struct sluice_addr source;
	struct sluice_addr target;
	__be32 id_be;
	__u32 where;
	__u8 protocol;
	__u64 hash;
};

static __always_inline bool fragment_is(const void *slot, const void *named)
{
	const struct sluice_fragment *fragment = slot;
	const struct fragment_key *key = named;

	return fragment->id_be == key->id_be && fragment->where == key->where &&
	       fragment->protocol == key->protocol && addr_equal(&fragment->source, &key->source) &&
	       addr_equal(&fragment->target, &key->target);
}

static __always_inline void fragment_key(const struct __sk_buff *skb, const struct heard *heard,
					 bool out, struct fragment_key *key)
{
	key->source = heard->outer.source;
	key->target = heard->outer.target;
	key->id_be = heard->fragment_id_be;
	key->where = skb->ifindex | (out ? SLUICE_FRAGMENT_OUT : 0);
	key->protocol = heard->fragment_protocol;
}

static __always_inline struct sluice_fragment_set *fragment_set(struct fragment_key *key)
{
	__u64 hash = sluice_flow_mix(seed, (__u64)key->where << 32 | key->id_be);
	__u32 index;

	hash = sluice_flow_mix(hash, key->source.half[0]);
	hash = sluice_flow_mix(hash, key->source.half[1]);
	hash = sluice_flow_mix(hash, key->target.half[0]);
	key->hash = sluice_flow_mix(hash, key->target.half[1]);
	index = sluice_flow_set_index(key->hash, SLUICE_FRAGMENT_SETS);
	return bpf_map_lookup_elem(&sluice_w_frags, &index);
}

static __always_inline __u32 fragment_find(const struct sluice_fragment_set *set,
					   const struct fragment_key *key)
{
	return set_find(set->tag, sluice_flow_tag(key->hash), set->fragment, sizeof(*set->fragment),
			fragment_is, key);
}

/* Remembers, for the later fragments, what becomes of the first: also that it is left alone. */
static __noinline void fragment_store(struct __sk_buff *skb, const struct heard *heard, bool out,
				      const struct change *change)
{
	struct fragment_key key = {};
	struct sluice_fragment *fragment;
	struct sluice_fragment_set *set;
	bool evicted = false;
	__u32 now = clock(), way;

	fragment_key(skb, heard, out, &key);
	set = fragment_set(&key);
	if (!set)
		return;
	bpf_spin_lock(&set->lock);
	way = fragment_find(set, &key);
	if (way >= SLUICE_FLOW_WAYS) {
		way = set_oldest(set->tag, set->seen, now);
		evicted = set->tag[way] && now - set->seen[way] <= SLUICE_FRAGMENT_LIFE;
	}
	fragment = &set->fragment[way];
	fragment->source = key.source;
	fragment->target = key.target;
	fragment->becomes = change->to;
	fragment->id_be = key.id_be;
	fragment->where = key.where;
	fragment->protocol = key.protocol;
	fragment->end = change->end;
	set->tag[way] = sluice_flow_tag(key.hash);
	set->seen[way] = now;
	bpf_spin_unlock(&set->lock);
	if (evicted)
		count(SLUICE_WIRE_fragment_evicted);
}

static __noinline void fragment_follow(struct __sk_buff *skb, const struct heard *heard, bool out,
				       struct change *change)
{
	struct fragment_key key = {};
	struct sluice_fragment_set *set;
	__u32 way, seen = 0;

	change->outcome = SLUICE_WIRE_fragment_early;
	fragment_key(skb, heard, out, &key);
	set = fragment_set(&key);
	if (!set)
		return;
	bpf_spin_lock(&set->lock);
	way = fragment_find(set, &key);
	if (way < SLUICE_FLOW_WAYS) {
		change->to = set->fragment[way].becomes;
		change->end = set->fragment[way].end;
		seen = set->seen[way];
	}
	bpf_spin_unlock(&set->lock);
	if (way < SLUICE_FLOW_WAYS && clock() - seen <= SLUICE_FRAGMENT_LIFE)
		change->outcome = SLUICE_WIRE_fragment_followed;
	else
		change->end = SLUICE_WIRE_NEITHER;
}

/* --- ICMP errors */

/* Goes toward the server, and quotes a reply from the address asked: back to the server's. */
static __always_inline bool error_about_reply(struct __sk_buff *skb, const struct heard *heard,
					      bool gateway)
{
	struct sluice_wire_set *set;
	struct wire_view view = {};
	struct wire_key key = {};

	if (!port_managed(bpf_ntohs(heard->quoted.source_port_be)))
		return false;
	reply_key(skb, &heard->quoted, gateway, &key);
	set = wire_set(&key);
	if (!set || !wire_read(set, &key, &view) || addr_equal(&view.asked, &view.server) ||
	    !addr_equal(&view.asked, &heard->quoted.source) || clock() - view.seen > age)
		return false;
	if (!change_quoted(skb, heard, SLUICE_WIRE_SOURCE, &view.server))
		return false;
	if (!addr_equal(&heard->outer.target, &view.asked))
		return true;
	return change_address(skb, heard, SLUICE_WIRE_TARGET, &view.server);
}

/* Goes toward the client, and quotes a request to the server's address: back to the one asked. */
static __always_inline bool error_about_request(struct __sk_buff *skb, const struct heard *heard,
						bool gateway)
{
	struct sluice_wire_set *set;
	struct wire_view view = {};
	struct wire_key key = {};

	if (!port_managed(bpf_ntohs(heard->quoted.target_port_be)))
		return false;
	request_key(skb, &heard->quoted, gateway, &key);
	set = wire_set(&key);
	if (!set || !wire_read(set, &key, &view) || addr_equal(&view.asked, &view.server) ||
	    !addr_equal(&view.server, &heard->quoted.target) || clock() - view.seen > age)
		return false;
	if (!change_quoted(skb, heard, SLUICE_WIRE_TARGET, &view.asked))
		return false;
	if (!addr_equal(&heard->outer.source, &view.server))
		return true;
	return change_address(skb, heard, SLUICE_WIRE_SOURCE, &view.asked);
}

static __always_inline void error_pass(struct __sk_buff *skb, const struct heard *heard, bool out)
{
	bool host = role & SLUICE_WIRE_HOST, gateway = role & SLUICE_WIRE_GATEWAY;
	bool done;

	if (out)
		done = (host && error_about_request(skb, heard, false)) ||
		       (gateway && error_about_reply(skb, heard, true));
	else
		done = (host && error_about_reply(skb, heard, false)) ||
		       (gateway && error_about_request(skb, heard, true));
	count(done ? SLUICE_WIRE_error_translated : SLUICE_WIRE_error_left);
}

/* --- the programs */

static __always_inline void decide_in(struct __sk_buff *skb, const struct ends *ends,
				      struct change *change)
{
	if (role & SLUICE_WIRE_HOST && port_managed(bpf_ntohs(ends->target_port_be)))
		request_to_host(skb, ends, change);
	if (role & SLUICE_WIRE_GATEWAY && !change->end &&
	    port_managed(bpf_ntohs(ends->source_port_be)))
		reply_of_server(skb, ends, change);
}

static __always_inline void decide_out(struct __sk_buff *skb, const struct ends *ends,
				       struct change *change)
{
	if (role & SLUICE_WIRE_HOST && port_managed(bpf_ntohs(ends->source_port_be)))
		reply_of_host(skb, ends, change);
	if (role & SLUICE_WIRE_GATEWAY && !change->end &&
	    port_managed(bpf_ntohs(ends->target_port_be)))
		request_to_server(skb, ends, change);
}

static __always_inline int handle(struct __sk_buff *skb, bool out)
{
	struct change change = { .outcome = SLUICE_WIRE_COUNTERS_MAX };
	struct heard heard = {};

	switch (packet_hear(skb, &heard)) {
	case HEARD_ERROR:
		error_pass(skb, &heard, out);
		return PASS;
	case HEARD_LATER_FRAGMENT:
		fragment_follow(skb, &heard, out, &change);
		break;
	case HEARD_DATAGRAM:
		if (out)
			decide_out(skb, &heard.outer, &change);
		else
			decide_in(skb, &heard.outer, &change);
		if (heard.fragment == PACKET_FIRST_FRAGMENT)
			fragment_store(skb, &heard, out, &change);
		break;
	default:
		return PASS;
	}
	if (change.end && !change_address(skb, &heard, change.end, &change.to))
		change.outcome = SLUICE_WIRE_failed;
	if (change.outcome < SLUICE_WIRE_COUNTERS_MAX)
		count(change.outcome);
	return PASS;
}

SEC("tc")
int sluice_wire_in(struct __sk_buff *skb)
{
	return handle(skb, false);
}

SEC("tc")
int sluice_wire_out(struct __sk_buff *skb)
{
	return handle(skb, true);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
