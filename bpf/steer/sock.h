/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/*
 * Access to kernel structures: the socket of a slot, and the addresses of a datagram. The data of
 * an sk_reuseport context starts at the UDP header, after the addresses.
 *
 * Helpers work on any kernel, but each call costs about as much as a flow lookup. Since Linux 6.2
 * bpf_rdonly_cast() returns a typed pointer for plain loads; a faulting load reads 0, like a failed
 * helper. The two kfuncs cost nothing at run time. But kernels 5.13 to 5.15 refuse a program that
 * references an unknown kfunc, even in dead code. Therefore each function has the constant
 * parameter `casts`. The object contains one program per value, and the loader selects the program
 * that the kernel accepts.
 *
 * The loader supplies the address of the socket. The kernel may since have freed the socket and
 * reused its memory (UDP sockets are not SLAB_TYPESAFE_BY_RCU since Linux 4.7). A read cannot
 * fault, and the cookie detects a different socket.
 */
#ifndef SLUICE_BPF_STEER_SOCK_H
#define SLUICE_BPF_STEER_SOCK_H

#include "common/addr.h"
#include "common/ticks.h"
#include "steer/maps.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <linux/if_ether.h>
#include <linux/in6.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <stddef.h>

extern void *bpf_cast_to_kern_ctx(void *context) __ksym __weak;
extern void *bpf_rdonly_cast(const void *object, __u32 type) __ksym __weak;

/* The current datagram. */
struct datagram {
	struct sk_reuseport_md *ctx;
	__u64 print;  /* sluice_steer_print() */
	__u64 hash;   /* sluice_steer_hash() */
	__u64 chosen; /* kernel_choice() */
	__u32 now;    /* tick_clock() */
	bool casts;
};

/* --- sockets */

static __always_inline const struct sock *sock_cast(const struct sock *sk)
{
	return bpf_rdonly_cast(sk, bpf_core_type_id_kernel(struct sock));
}

static __always_inline __u8 sock_state(const struct sock *sk, bool casts)
{
	return casts ? sock_cast(sk)->__sk_common.skc_state
		     : BPF_CORE_READ(sk, __sk_common.skc_state);
}

static __always_inline __u64 sock_cookie(const struct sock *sk, bool casts)
{
	return casts ? sock_cast(sk)->__sk_common.skc_cookie.counter
		     : BPF_CORE_READ(sk, __sk_common.skc_cookie.counter);
}

static __always_inline __s32 sock_queued(const struct sock *sk, bool casts)
{
	return casts ? sock_cast(sk)->sk_backlog.rmem_alloc.counter
		     : BPF_CORE_READ(sk, sk_backlog.rmem_alloc.counter);
}

static __always_inline __s32 sock_room(const struct sock *sk, bool casts)
{
	return casts ? sock_cast(sk)->sk_rcvbuf : BPF_CORE_READ(sk, sk_rcvbuf);
}

/* --- addresses */

static __always_inline const void *network_header(struct sk_reuseport_md *ctx)
{
	const struct sk_reuseport_kern *kern = bpf_cast_to_kern_ctx(ctx);
	const struct sk_buff *skb = kern->skb;

	return skb->head + skb->network_header;
}

/* Reads source and destination address. */
static __always_inline bool addrs_read_ip6(const struct datagram *of, __u64 word[4])
{
	const __u64 *from;

	if (!of->casts)
		return !bpf_skb_load_bytes_relative(of->ctx, offsetof(struct ipv6hdr, saddr), word,
						    4 * sizeof(*word), BPF_HDR_START_NET);
	from = bpf_rdonly_cast(network_header(of->ctx), bpf_core_type_id_kernel(struct ipv6hdr));
	from += offsetof(struct ipv6hdr, saddr) / sizeof(*from);
	word[0] = from[0];
	word[1] = from[1];
	word[2] = from[2];
	word[3] = from[3];
	return true;
}

/*
 * Loads both addresses with one 64-bit load, which struct in6_addr permits and struct iphdr does
 * not.
 */
static __always_inline bool addrs_read_ip4(const struct datagram *of, __u64 *word)
{
	if (!of->casts)
		return !bpf_skb_load_bytes_relative(of->ctx, offsetof(struct iphdr, saddr), word,
						    sizeof(*word), BPF_HDR_START_NET);
	*word = *(const __u64 *)bpf_rdonly_cast(network_header(of->ctx) +
							offsetof(struct iphdr, saddr),
						bpf_core_type_id_kernel(struct in6_addr));
	return true;
}

#endif
