/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/*
 * May a send use an address as its source? A send fails if its source is not local
 * (net/ipv4/route.c, ip_route_output_key_hash_rcu).
 */
#ifndef SLUICE_BPF_REPLY_LOCAL_ADDR_H
#define SLUICE_BPF_REPLY_LOCAL_ADDR_H

#include "common/local_addr.h"
#include "reply/maps.h"

/*
 * May a send of the socket use the address as its source? @generation is local_addr_generation(),
 * read before the walk: if the address is deleted meanwhile, the cached result is already outdated.
 */
static __always_inline bool local_addr_usable(const struct sluice_sock *sock,
					      const struct sluice_addr *addr, bool ip4,
					      __u32 generation)
{
	struct sluice_local_key key = { .addr = *addr, .netns = sock->netns };
	__u32 *known = bpf_map_lookup_elem(&sluice_locals, &key);

	if (known && *known == generation)
		return true;
	if (ip4 ? !ip4_is_local(sock->net, addr->word_be[3])
		: !ip6_is_local(sock->net, addr->half[0], addr->half[1]))
		return false;
	bpf_map_update_elem(&sluice_locals, &key, &generation, BPF_ANY);
	return true;
}

#endif
