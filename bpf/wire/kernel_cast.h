/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/*
 * The kernel's sk_buff of a packet, and its sockets, as typed pointers, which plain loads can read.
 * A call of a helper costs tens of ns with retpolines and safe returns.
 *
 * Needs Linux 6.2. Kernels 5.13 to 5.15 refuse a program that references an unknown kfunc, even in
 * dead code. They have no conntrack kfuncs either, so only the programs that use these refer to
 * this one: each function takes the constant `kfuncs`, which is false in the other programs.
 */
#ifndef SLUICE_BPF_WIRE_KERNEL_CAST_H
#define SLUICE_BPF_WIRE_KERNEL_CAST_H

#include "common/kernel.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <stdbool.h>

extern void *bpf_cast_to_kern_ctx(void *context) __ksym __weak;
extern void *bpf_rdonly_cast(const void *object, __u32 type) __ksym __weak;

/* Does the kernel have them? */
const volatile bool casts = false;

/*
 * Is the UDP socket at the kernel's address @address open on the port, and not connected? A closed
 * socket has no port (net/ipv4/udp.c, udp_lib_unhash()). The kernel may have reused its memory; a
 * read cannot fault.
 */
static __always_inline bool socket_is_unconnected(__u64 address, __be16 port_be, bool kfuncs)
{
	const struct sock *sk = (const void *)address;

	if (!kfuncs || !casts)
		return BPF_CORE_READ(sk, __sk_common.skc_num) == bpf_ntohs(port_be) &&
		       !BPF_CORE_READ(sk, __sk_common.skc_dport);
	sk = bpf_rdonly_cast(sk, bpf_core_type_id_kernel(struct sock));
	return sk->__sk_common.skc_num == bpf_ntohs(port_be) && !sk->__sk_common.skc_dport;
}

#endif
