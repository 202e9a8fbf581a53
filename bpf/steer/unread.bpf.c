// SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause)
/*
 * Counts the datagrams that a drained socket has not yet read, and the datagrams that are still
 * unread when the socket is closed. The drain could hold a descriptor instead, but a descriptor
 * would keep a closed socket alive: a server's epoll would report events for a descriptor that the
 * server has closed.
 *
 * The link of sluice_closing is not pinned, so it is closed when the drain exits.
 */
#include "common/kernel.h"
#include "common/queue.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <linux/in.h>
#include <sluice/unread.h>

#define core __attribute__((preserve_access_index))

/*
 * recvmsg() moves datagrams from the receive queue to reader_queue (net/ipv4/udp.c, since Linux
 * 4.12)
 */
struct udp_sock {
	struct sk_buff_head reader_queue;
} core;

/* The drain adds the cookies of its sockets; sluice_closing writes the values. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SLUICE_UNREAD_MAX);
	__type(key, __u64);
	__type(value, struct sluice_unread);
} sluice_unread SEC(".maps");

/* Written by sluice_queue. */
struct sluice_unread queue;

/*
 * Reads the receive queue before reader_queue, since a concurrent recvmsg() moves datagrams to
 * reader_queue. Counting them twice is harmless; missing them would report an empty queue.
 */
static __always_inline void unread_read(struct sock *sk, struct sluice_unread *to)
{
	struct udp_sock *udp = (void *)sk;

	to->datagrams = BPF_CORE_READ(sk, sk_receive_queue.qlen);
	to->datagrams += BPF_CORE_READ(udp, reader_queue.qlen);
	to->drops = sock_drops(sk);
	to->connected = BPF_CORE_READ(sk, __sk_common.skc_state) == TCP_ESTABLISHED;
}

/*
 * The drain runs this program with the address and the cookie of a socket. The kernel may have
 * freed the socket (see steer/sock.h), but a read cannot fault, and the cookie detects a different
 * socket.
 */
SEC("raw_tp")
int sluice_queue(struct bpf_raw_tracepoint_args *ctx)
{
	struct sock *sk = (void *)ctx->args[0];

	unread_read(sk, &queue);
	queue.known = BPF_CORE_READ(sk, __sk_common.skc_cookie.counter) == (__s64)ctx->args[1];
	return 0;
}

/* Runs when the last descriptor is closed, before the kernel empties the queue. */
SEC("cgroup/sock_release")
int sluice_closing(struct bpf_sock *ctx)
{
	struct sock *sk = (struct sock *)ctx;
	struct sluice_unread *unread;
	__u64 cookie;

	if (ctx->protocol != IPPROTO_UDP)
		return 1;
	cookie = BPF_CORE_READ(sk, __sk_common.skc_cookie.counter);
	unread = bpf_map_lookup_elem(&sluice_unread, &cookie);
	if (unread) {
		unread_read(sk, unread);
		unread->known = 1;
	}
	return 1;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
