/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/*
 * Classifies the socket that has sent an answer: either the server or the kernel has chosen the
 * source.
 */
#ifndef SLUICE_BPF_WIRE_SENDER_H
#define SLUICE_BPF_WIRE_SENDER_H

#include "common/kernel.h"
#include "wire/kernel_cast.h"
#include "wire/local_addr_cache.h"
#include "wire/socket.h"
#include "wire/table.h"

#include <linux/in.h>

/* Returns the cookie of the socket that sends the packet, or 0. */
static __always_inline __u64 sender_cookie(struct __sk_buff *skb, bool kfuncs)
{
	__u64 cookie = 0;

	/*
	 * a packet that this host forwards after it has sent it to itself still has the server's
	 * socket
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

enum sender {
	SENDER_OTHER,	  /* another host, or a socket that is not the server's */
	SENDER_CHOSEN,	  /* a server that chooses its source, or can choose it */
	SENDER_WILDCARD,  /* the kernel has chosen the source of the answer */
	SENDER_DEVICE,	  /* as SENDER_WILDCARD, but the socket is bound to another device */
	SENDER_CONNECTED, /* the kernel has chosen the source at connect(2) */
};

/*
 * Returns true if the server receives the destination address of its requests, and so can choose
 * the source of its answers.
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
 * Classifies the socket that has sent a datagram, and stores the kernel address of an unconnected
 * socket. The socket of a forwarded or bridged packet may belong to another namespace, or to a
 * sender on this host if the packet has crossed a veth pair.
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
