/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/*
 * Checks whether an address is local to this host. The programs cache the result until an address
 * of the namespace changes.
 */
#ifndef SLUICE_BPF_WIRE_LOCAL_ADDR_CACHE_H
#define SLUICE_BPF_WIRE_LOCAL_ADDR_CACHE_H

#include "common/addr.h"
#include "common/addr_walk.h"
#include "common/kernel.h"
#include "common/settings.h"
#include "wire/kernel_cast.h"
#include "wire/maps.h"

static __always_inline struct net *net_of(struct __sk_buff *skb)
{
	return BPF_CORE_READ((struct sk_buff *)skb, dev, nd_net.net);
}

static __always_inline __u32 host_genid(struct __sk_buff *skb, const struct sluice_addr *addr)
{
	return local_addr_generation((__u64)net_of(skb), addr_is_ip4(addr));
}

/* Returns host_genid(). */
static __always_inline __u32 sender_genid(struct __sk_buff *skb, const struct sluice_addr *addr,
					  bool kfuncs)
{
	const struct sk_buff *kern;
	const struct net *net;

	if (!kfuncs || !casts)
		return host_genid(skb, addr);
	kern = bpf_cast_to_kern_ctx(skb);
	net = kern->dev->nd_net.net;
	if (addr_is_ip4(addr))
		return net->ipv4.dev_addr_genid.counter;
	return bpf_core_field_exists(net->ipv6) ? net->ipv6.dev_addr_genid.counter : 0;
}

/*
 * Returns true if the address is local to the host. @genid is host_genid(), read before the walk:
 * if an address changes during the walk, the cached result is already outdated.
 */
static __noinline bool addr_is_local(struct __sk_buff *skb, const struct sluice_addr *addr,
				     __u32 genid)
{
	__u64 hash = sluice_flow_mix(sluice_flow_mix(seed, addr->half[0]), addr->half[1]);
	__u32 index = hash >> 32 & (SLUICE_LOCAL_SLOTS - 1);
	struct sluice_local *known = bpf_map_lookup_elem(&sluice_w_local, &index);
	__u64 net = (__u64)net_of(skb);
	bool local;

	if (known && known->net == net && known->genid == genid && addr_equal(&known->addr, addr))
		return known->local;
	local = addr_is_ip4(addr) ? ip4_is_local(net, addr->word_be[3])
				  : ip6_is_local(net, addr->half[0], addr->half[1]);
	walk_allowed(!local);
	if (known) {
		known->addr = *addr;
		known->net = net;
		known->genid = genid;
		known->local = local;
	}
	return local;
}

#endif
