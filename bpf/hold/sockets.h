/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/* The open sockets that have flows, and their number in each network namespace. */
#ifndef SLUICE_BPF_HOLD_SOCKETS_H
#define SLUICE_BPF_HOLD_SOCKETS_H

#include "hold/maps.h"

#include <stdbool.h>

/*
 * Increments the close counter of a socket, so that the daemon looks up the sockets of this counter
 * again.
 */
static __always_inline void count_close(__u64 cookie)
{
	__u32 number = cookie % SLUICE_HOLD_CLOSES;
	__u64 *closes = bpf_map_lookup_elem(&sluice_closes, &number);

	if (closes)
		__sync_fetch_and_add(closes, 1);
}

static __always_inline void socket_remove(__u64 cookie)
{
	struct sluice_hold_socket *found = bpf_map_lookup_elem(&sluice_socks, &cookie);
	struct sluice_hold_netns *tracked;
	__u32 inode;

	if (!found)
		return;
	inode = found->netns;
	if (bpf_map_delete_elem(&sluice_socks, &cookie))
		return;
	tracked = bpf_map_lookup_elem(&sluice_netns, &inode);
	if (tracked)
		__sync_fetch_and_add(&tracked->sockets, -1);
	count_close(cookie);
}

/*
 * Records that the socket is open and sends from the local port of @key, and counts it in its
 * namespace. Returns false if there is no room.
 */
static __always_inline bool socket_add(__u64 cookie, const struct sluice_hold_key *key)
{
	struct sluice_hold_socket socket = { .netns = key->netns, .port_be = key->local_port_be };
	struct sluice_hold_socket *found = bpf_map_lookup_elem(&sluice_socks, &cookie);
	struct sluice_hold_netns none = {}, *tracked;

	if (found) {
		if (found->port_be != socket.port_be) {
			found->port_be = socket.port_be;
			count_close(cookie);
		}
		return true;
	}
	tracked = bpf_map_lookup_elem(&sluice_netns, &socket.netns);
	if (!tracked) {
		bpf_map_update_elem(&sluice_netns, &socket.netns, &none, BPF_NOEXIST);
		tracked = bpf_map_lookup_elem(&sluice_netns, &socket.netns);
	}
	if (tracked && !bpf_map_update_elem(&sluice_socks, &cookie, &socket, BPF_NOEXIST)) {
		__sync_fetch_and_add(&tracked->sockets, 1);
		return true;
	}
	/* another CPU may have added the socket */
	if (bpf_map_lookup_elem(&sluice_socks, &cookie))
		return true;
	count(SLUICE_HOLD_no_socket);
	return false;
}

#endif
