// SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause)
/*
 * Tells the daemon at once of sockets that join a reuseport group on a managed port, and of those
 * that go.  The programs have no say in what happens to the socket, and nothing happens to traffic
 * without them: so their links are not pinned, and live and die with the daemon.  What they don't
 * see (a socket made over to another group, a full ring buffer), the daemon's sweep does.
 *
 * A socket is in its group by the time that its bind is told (net/ipv4/udp.c, udp_lib_get_port()),
 * and still is when its release is told.
 *
 * The context of both is the struct sock, of which a released socket's port and any socket's group
 * are no part that a program may read; so they are read as kernel memory.
 */
#include "common/kernel.h"
#include "common/ports.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <linux/in.h>
#include <sluice/socket_events.h>
#include <stdbool.h>

/* Settings of this load; the verifier takes them as constants. */
const volatile __u32 netns; /* inode number; 0: all of them */

/* Events that the ring buffer had no room for. */
__u64 lost;

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 65536); /* a multiple of any page size */
} sluice_events SEC(".maps");

static __always_inline bool is_followed(struct sock *sk)
{
	return BPF_CORE_READ(sk, sk_reuseport_cb) &&
	       (!netns || BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum) == netns);
}

static __always_inline void tell(__u32 kind)
{
	struct sluice_socket_event event = { .at_ns = bpf_ktime_get_ns(), .kind = kind };

	if (bpf_ringbuf_output(&sluice_events, &event, sizeof(event), 0))
		__sync_fetch_and_add(&lost, 1);
}

static __always_inline int on_bind(struct bpf_sock *ctx)
{
	if (ctx->protocol == IPPROTO_UDP && port_managed((__u16)ctx->src_port) &&
	    is_followed((struct sock *)ctx))
		tell(SLUICE_SOCKET_BOUND);
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
	    is_followed(sk))
		tell(SLUICE_SOCKET_RELEASED);
	return 1;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
