/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/*
 * Checks whether a send can use an address as its source. A send fails if its source is not local
 * (net/ipv4/route.c, ip_route_output_key_hash_rcu).
 */
#ifndef SLUICE_BPF_REPLY_USABLE_ADDR_H
#define SLUICE_BPF_REPLY_USABLE_ADDR_H

#include "common/addr_walk.h"
#include "reply/maps.h"

#include <linux/ip.h>

/* include/net/net_namespace.h: lo, in each namespace */
#define LOOPBACK_IFINDEX 1

enum addr_use {
	ADDR_UNUSABLE,
	ADDR_USABLE,
	ADDR_UNKNOWN, /* the limit on walks was reached */
};

/*
 * Returns whether a send of the socket can use the address as its source. @generation is
 * local_addr_generation(), read before the walk: if an address changes during the walk, the cached
 * result is already outdated. Negative results are cached as well: each datagram to an address that
 * is local only by a route needs one. @limited applies the limit on walks; the address of a flow is
 * always checked.
 */
static __always_inline enum addr_use local_addr_usable(const struct sluice_sock *sock,
						       const struct sluice_addr *addr, bool ip4,
						       __u32 generation, bool limited)
{
	struct sluice_local_key key = { .addr = *addr, .netns = sock->netns };
	struct sluice_local_usable *known = bpf_map_lookup_elem(&sluice_locals, &key);
	struct sluice_local_usable fresh = { .generation = generation };

	if (known && known->generation == generation)
		return known->usable ? ADDR_USABLE : ADDR_UNUSABLE;
	if (limited && !walk_allowed(false))
		return ADDR_UNKNOWN;
	fresh.usable = ip4 ? ip4_is_local(sock->net, addr->word_be[3])
			   : ip6_is_local(sock->net, addr->half[0], addr->half[1]);
	walk_allowed(!fresh.usable);
	bpf_map_update_elem(&sluice_locals, &key, &fresh, BPF_ANY);
	return fresh.usable ? ADDR_USABLE : ADDR_UNUSABLE;
}

/*
 * Reads an IPv4 setting of an interface, or the setting `all`; @option is an IPV4_DEVCONF number.
 */
static __always_inline int ip4_setting(const struct ipv4_devconf *conf, int option)
{
	int value = 0;

	bpf_probe_read_kernel(&value, sizeof(value),
			      (const void *)conf + bpf_core_field_offset(conf->data) +
				      (option - 1) * sizeof(value));
	return value;
}

/*
 * Returns true if a reply to a peer behind the device can leave from 127.0.0.0/8, to which DNAT can
 * redirect requests. A send fails on an interface without route_localnet (net/ipv4/route.c,
 * __mkroute_output). This device has the setting, or the kernel would not have delivered the
 * request. The reply may leave by another device. The send cannot fail if all devices have the
 * setting, or if the reverse path filter has proven that the route back uses this device.
 */
static __always_inline bool may_leave_from_loopback(struct net *net,
						    const struct net_device *device)
{
	const struct ipv4_devconf *all = BPF_CORE_READ(net, ipv4.devconf_all);
	const struct in_device *in = BPF_CORE_READ(device, ip_ptr);
	int all_filter = ip4_setting(all, IPV4_DEVCONF_RP_FILTER), filter;

	if (ip4_setting(all, IPV4_DEVCONF_ROUTE_LOCALNET))
		return true;
	if (!in)
		return false;
	/* the kernel applies the larger of the two */
	filter = ip4_setting((const void *)in + bpf_core_field_offset(in->cnf),
			     IPV4_DEVCONF_RP_FILTER);
	return (filter > all_filter ? filter : all_filter) == 1;
}

#endif
