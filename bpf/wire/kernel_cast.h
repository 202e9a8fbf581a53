/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/*
 * Casts a packet's context and sockets to typed kernel pointers, which plain loads can read. With
 * retpolines and return thunks, a helper call costs tens of ns.
 *
 * Needs Linux 6.2. Kernels 5.13 to 5.15 refuse a program that references an unknown kfunc, even in
 * dead code. They have no conntrack kfuncs either, so only the programs that call the conntrack
 * kfuncs reference this kfunc: each function takes the constant `kfuncs`, which is false in the
 * other programs.
 */
#ifndef SLUICE_BPF_WIRE_KERNEL_CAST_H
#define SLUICE_BPF_WIRE_KERNEL_CAST_H

#include "common/kernel.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <sluice/wire.h>
#include <stdbool.h>

extern void *bpf_cast_to_kern_ctx(void *context) __ksym __weak;
extern void *bpf_rdonly_cast(const void *object, __u32 type) __ksym __weak;

/* True if the kernel has the cast kfuncs; set by the loader. */
const volatile bool casts = false;

/*
 * Returns true if the UDP socket (struct sluice_wire_flow) is still open on the port, and still
 * connected or unconnected as recorded. A closed socket has no port (net/ipv4/udp.c,
 * udp_lib_unhash()). The kernel may have reused the memory of the socket, but a read cannot fault.
 */
static __always_inline bool socket_is_same(__u64 socket, __be16 port_be, bool kfuncs)
{
	const struct sock *sk = (const void *)(socket & ~(__u64)SLUICE_WIRE_SOCKET_FLAGS);
	__be16 peer_port_be;
	__u16 port;

	if (kfuncs && casts) {
		sk = bpf_rdonly_cast(sk, bpf_core_type_id_kernel(struct sock));
		port = sk->__sk_common.skc_num;
		peer_port_be = sk->__sk_common.skc_dport;
	} else {
		port = BPF_CORE_READ(sk, __sk_common.skc_num);
		peer_port_be = BPF_CORE_READ(sk, __sk_common.skc_dport);
	}
	return port == bpf_ntohs(port_be) && !peer_port_be == !(socket & SLUICE_WIRE_CONNECTED);
}

#endif
