// SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause)
/*
 * Sends the daemon an event when a socket joins or leaves a reuseport group on a managed port. The
 * programs never affect the socket, and traffic does not depend on them: their links are not pinned
 * and are closed with the daemon. The daemon's sweep finds the changes that the programs miss (a
 * socket that moves to another group, a full ring buffer).
 *
 * At the bind event the socket is already in its group (net/ipv4/udp.c, udp_lib_get_port()), and at
 * the release event it is still in the group.
 *
 * The context of both hooks is the struct sock. Through this context, the verifier does not allow
 * access to the port of a released socket or to the group of any socket, so the programs read both
 * as kernel memory.
 */
#include "common/kernel.h"
#include "common/ports.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <linux/in.h>
#include <sluice/socket_events.h>
#include <stdbool.h>

/* Constants of this load, known to the verifier. */
const volatile __u32 netns; /* inode number; 0: all */

/* The number of events lost because the ring buffer was full. */
__u64 lost;

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 65536); /* a multiple of any page size */
} sluice_events SEC(".maps");

static __always_inline bool is_managed_group(struct sock *sk)
{
	return BPF_CORE_READ(sk, sk_reuseport_cb) &&
	       (!netns || BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum) == netns);
}

static __always_inline void event_send(__u32 kind)
{
	struct sluice_socket_event event = { .at_ns = bpf_ktime_get_ns(), .kind = kind };

	if (bpf_ringbuf_output(&sluice_events, &event, sizeof(event), 0))
		__sync_fetch_and_add(&lost, 1);
}

static __always_inline int on_bind(struct bpf_sock *ctx)
{
	if (ctx->protocol == IPPROTO_UDP && port_managed((__u16)ctx->src_port) &&
	    is_managed_group((struct sock *)ctx))
		event_send(SLUICE_SOCKET_BOUND);
	return 1;
}

SEC("cgroup/post_bind4")
int sluice_bind4(struct bpf_sock *ctx)
{
	return on_bind(ctx);
}

SEC("cgroup/post_bind6")
int sluice_bind6(struct bpf_sock *ctx)
{
	return on_bind(ctx);
}

SEC("cgroup/sock_release")
int sluice_release(struct bpf_sock *ctx)
{
	struct sock *sk = (struct sock *)ctx;

	if (ctx->protocol == IPPROTO_UDP && port_managed(BPF_CORE_READ(sk, __sk_common.skc_num)) &&
	    is_managed_group(sk))
		event_send(SLUICE_SOCKET_RELEASED);
	return 1;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
