/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/* The drop count of a socket, on any kernel. */
#ifndef SLUICE_BPF_COMMON_QUEUE_H
#define SLUICE_BPF_COMMON_QUEUE_H

#include "common/kernel.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

/* Returns the number of datagrams that the socket has dropped; it wraps. */
static __always_inline __u32 sock_drops(struct sock *sk)
{
	struct numa_drop_counters *by_node = NULL;

	/* since Linux 6.18 */
	if (bpf_core_field_exists(sk->sk_drop_counters))
		by_node = BPF_CORE_READ(sk, sk_drop_counters);
	if (by_node)
		return BPF_CORE_READ(by_node, drops0.counter) +
		       BPF_CORE_READ(by_node, drops1.counter);
	return BPF_CORE_READ(sk, sk_drops.counter);
}

#endif
