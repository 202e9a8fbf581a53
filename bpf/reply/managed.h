/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/*
 * Decides whether a socket is managed: it must be on a managed port. With --port any, the kernel
 * must not have chosen the port; the socket's local storage records who chose it.
 */
#ifndef SLUICE_BPF_REPLY_MANAGED_H
#define SLUICE_BPF_REPLY_MANAGED_H

#include "common/kernel.h"
#include "common/settings.h"
#include "reply/datagram.h"
#include "reply/maps.h"

#include <bpf/bpf_core_read.h>
#include <stdbool.h>

/*
 * Creates the local storage of a socket at its first datagram. With --port any, a socket whose port
 * the kernel has chosen counts as a client's.
 */
static __always_inline struct sluice_sock *sock_record(struct __sk_buff *skb, struct bpf_sock *sk)
{
	struct sock *kernel_sk = BPF_CORE_READ(kernel_skb(skb), sk);
	struct net *net = BPF_CORE_READ(kernel_sk, __sk_common.skc_net.net);
	struct sluice_sock fresh = {
		.cookie = bpf_get_socket_cookie(skb),
		.net = (unsigned long)net,
		.netns = BPF_CORE_READ(net, ns.inum),
		.port_chosen = !(BPF_CORE_READ_BITFIELD_PROBED(kernel_sk, sk_userlocks) &
				 SOCK_BINDPORT_LOCK),
	};
	struct sluice_sock *sock;

	sock = bpf_sk_storage_get(&sluice_socks, sk, &fresh, BPF_SK_STORAGE_GET_F_CREATE);
	if (!sock)
		count(SLUICE_REPLY_skipped_memory);
	else if (any_port && fresh.port_chosen)
		count(SLUICE_REPLY_skipped_client);
	return sock;
}

/* Returns false for a client's socket: its source follows the routes, so sluice must not fix it. */
static __always_inline bool sock_managed(const struct sluice_sock *sock)
{
	return !any_port || !sock->port_chosen;
}

/* Returns the storage of the sending socket, or NULL if it is not managed. */
static __always_inline struct sluice_sock *sender(struct bpf_sock *sk)
{
	struct sluice_sock *sock;

	if (!port_managed(sk->src_port))
		return NULL;
	sock = bpf_sk_storage_get(&sluice_socks, sk, NULL, 0);
	return sock && sock_managed(sock) ? sock : NULL;
}

#endif
