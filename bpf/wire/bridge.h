/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/*
 * Recognises frames for other hosts. A program sees them before the kernel drops them, before a
 * bridge forwards them, or before a macvlan on the interface receives them.
 */
#ifndef SLUICE_BPF_WIRE_BRIDGE_H
#define SLUICE_BPF_WIRE_BRIDGE_H

#include "common/kernel.h"
#include "wire/maps.h"
#include "wire/packet.h"

#include <bpf/bpf_core_read.h>
#include <linux/if_ether.h>

/* include/uapi/linux/if_packet.h: for another host by Ethernet address */
#define PACKET_OTHERHOST 3

static __noinline void bridge_read(struct __sk_buff *skb, struct sluice_bridge *bridge)
{
	struct net_device *port = BPF_CORE_READ((struct sk_buff *)skb, dev), *master;
	struct list_head *list = (void *)port +
				 bpf_core_field_offset(struct net_device, adj_list.upper);
	struct list_head *first = BPF_CORE_READ(list, next);
	struct netdev_adjacent *upper = (void *)first -
					bpf_core_field_offset(struct netdev_adjacent, list);

	bridge->known = 0;
	if (first == list || !BPF_CORE_READ(upper, master))
		return;
	master = BPF_CORE_READ(upper, dev);
	bridge->known = !bpf_probe_read_kernel(bridge->address, sizeof(bridge->address),
					       BPF_CORE_READ(master, dev_addr));
}

static __always_inline bool ethernet_equal(const __u8 *a, const __u8 *b)
{
	__u8 differing = 0;
	int i;

#pragma unroll
	for (i = 0; i < ETH_ALEN; i++)
		differing |= a[i] ^ b[i];
	return !differing;
}

/*
 * Returns true if @address is the Ethernet address of the port's bridge, or if the kernel's BTF
 * lacks the fields. If the cached address does not match, the bridge's address may have changed:
 * reads it again, at most once a tick.
 */
static __noinline bool bridge_has(struct __sk_buff *skb, const __u8 *address, __u32 now)
{
	__u32 port = skb->ifindex, index = port % SLUICE_BRIDGE_SLOTS;
	struct sluice_bridge *bridge;

	if (!bpf_core_field_exists(((struct netdev_adjacent *)0)->master))
		return true;
	bridge = bpf_map_lookup_elem(&sluice_w_bridge, &index);
	if (!bridge)
		return true;
	if (bridge->port == port && now - bridge->checked <= SLUICE_WIRE_RECHECK && bridge->known &&
	    ethernet_equal(address, bridge->address))
		return true;
	if (bridge->port != port || bridge->checked != now) {
		bridge_read(skb, bridge);
		bridge->port = port;
		bridge->checked = now;
	}
	return bridge->known && ethernet_equal(address, bridge->address);
}

/*
 * Returns true if the frame is for this host. Only the Ethernet address decides: another host
 * behind the bridge may have one of this host's IP addresses. The kernel has already compared the
 * Ethernet address with that of the port (skb->pkt_type), which the bridge accepts as well. The
 * program reads the bridge's address from the kernel, since it may change while no loader runs.
 */
static __always_inline bool frame_is_local(struct __sk_buff *skb, __u32 now)
{
	struct packet_ethhdr *eth;

	if (!(role & SLUICE_WIRE_ETHERNET) || skb->pkt_type != PACKET_OTHERHOST)
		return true;
	if (!(role & SLUICE_WIRE_PORT))
		return false;
	eth = (void *)(long)skb->data;
	if ((void *)(eth + 1) > (void *)(long)skb->data_end)
		return true;
	return bridge_has(skb, eth->addrs, now);
}

#endif
