/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/*
 * Checks whether an address is local to a namespace. cgroup hooks have no access to the routing
 * tables, and bpf_fib_lookup() serves tc programs only where forwarding is enabled. So the programs
 * walk the kernel's list of devices and each device's addresses. They cache the result with the
 * kernel's address generation, so an address needs only one walk until an address of the namespace
 * changes.
 *
 * Rejected: rt_type of the datagram's route (policy routing can make any address local, and an
 * address of one interface can be a broadcast address of another interface); fentry on the
 * notifiers (some kernels have no trampolines); purging from user space (sluice must work without a
 * daemon).
 */
#ifndef SLUICE_BPF_COMMON_ADDR_WALK_H
#define SLUICE_BPF_COMMON_ADDR_WALK_H

#include "common/addr.h"
#include "common/ticks.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <sluice/walks.h>
#include <stdbool.h>

/* Written by all programs of the object, per CPU. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sluice_walks);
} sluice_walks SEC(".maps");

/*
 * If @fruitless, counts a walk that found nothing. Returns true if another walk is allowed. Only
 * fruitless walks are limited: each datagram to a forged address causes one, while successful walks
 * are limited by the number of local addresses. Global for the same reason as ip4_walk().
 */
__noinline int walk_allowed(bool fruitless)
{
	__u32 zero = 0, window = tick_clock() / SLUICE_WALK_WINDOW;
	struct sluice_walks *walks = bpf_map_lookup_elem(&sluice_walks, &zero);

	if (!walks)
		return true;
	if (walks->window != window) {
		walks->window = window;
		walks->fruitless = 0;
	}
	walks->fruitless += fruitless;
	return walks->fruitless < SLUICE_WALKS;
}

/*
 * A walk visits at most LOCAL_ADDR_LEG * LOCAL_ADDR_LEGS devices and addresses, and misses the rest
 * of a larger namespace. It is split into legs, since the verifier follows each iteration of a
 * loop, but checks a leg only once.
 */
#define LOCAL_ADDR_LEG	16
#define LOCAL_ADDR_LEGS 16

/* from include/uapi/linux/if.h, which conflicts with common/kernel.h */
#define IFF_LOOPBACK 0x8

/*
 * Returns the generation of the namespace's addresses of one family (net/ipv4/fib_frontend.c,
 * fib_inetaddr_event; net/ipv6/addrconf.c, __ipv6_ifa_notify).
 */
static __always_inline __u32 local_addr_generation(__u64 net_address, bool ip4)
{
	struct net *net = (struct net *)net_address;

	if (ip4)
		return BPF_CORE_READ(net, ipv4.dev_addr_genid.counter);
	if (bpf_core_field_exists(net->ipv6))
		return BPF_CORE_READ(net, ipv6.dev_addr_genid.counter);
	return 0;
}

/*
 * Returns true if @addr_be is the address of @ifa or, on a loopback device, in its subnet, all of
 * which is local. Has no branch, to save verifier paths.
 */
static __always_inline bool ip4_matches(const struct in_ifaddr *ifa, __u32 flags, __be32 addr_be)
{
	__be32 any_mask_be = (flags / IFF_LOOPBACK & 1) - 1;

	return !((BPF_CORE_READ(ifa, ifa_local) ^ addr_be) &
		 (BPF_CORE_READ(ifa, ifa_mask) | any_mask_be));
}

/* Returns true unless @addr_be is the broadcast address of a loopback device's subnet. */
static __always_inline bool ip4_is_unicast(const struct in_ifaddr *ifa, __be32 addr_be)
{
	return BPF_CORE_READ(ifa, ifa_local) == addr_be ||
	       (BPF_CORE_READ(ifa, ifa_mask) | addr_be) != 0xffffffff;
}

/* Results of a leg, apart from the start of the next leg. */
#define WALK_END   0
#define WALK_FOUND 1

/*
 * The start of the next leg is the list entry of the last device, or the pointer to the next
 * address with this bit set.
 */
#define WALK_ADDR 1

/*
 * Walks one leg. Global, not static: the verifier checks a global function once, not once for each
 * path. Kernel 5.10 accepts only numbers as its arguments and result.
 */
__noinline __u64 ip4_walk(__u64 net_address, __be32 addr_be, __u64 from)
{
	struct net *net = (struct net *)net_address;
	struct list_head *end = (void *)net + bpf_core_field_offset(struct net, dev_base_head);
	struct list_head *at = (struct list_head *)from;
	struct net_device *device;
	struct in_ifaddr *ifa = NULL;
	__u32 flags = 0;
	__u64 step;

	if (from & WALK_ADDR) {
		ifa = (struct in_ifaddr *)(from - WALK_ADDR);
		device = BPF_CORE_READ(ifa, ifa_dev, dev);
		at = (void *)device + bpf_core_field_offset(struct net_device, dev_list);
		flags = BPF_CORE_READ(device, flags);
	}
	for (step = 0; step < LOCAL_ADDR_LEG; step++) {
		/* kernel 5.10 loses the bounds of a counter that is spilled as 4 bytes */
		asm volatile("" : "+r"(step));
		if (ifa) {
			if (ip4_matches(ifa, flags, addr_be))
				return ip4_is_unicast(ifa, addr_be) ? WALK_FOUND : WALK_END;
			ifa = BPF_CORE_READ(ifa, ifa_next);
		} else {
			at = BPF_CORE_READ(at, next);
			if (at == end)
				return WALK_END;
			device = (void *)at - bpf_core_field_offset(struct net_device, dev_list);
			flags = BPF_CORE_READ(device, flags);
			ifa = BPF_CORE_READ(device, ip_ptr, ifa_list);
		}
	}
	return ifa ? (__u64)ifa + WALK_ADDR : (__u64)at;
}

/* Inlined, since on 5.10 the frame would not fit on the stack of sluice_audit. */
static __always_inline int ip4_is_local(__u64 net_address, __be32 addr_be)
{
	__u64 at = net_address + bpf_core_field_offset(struct net, dev_base_head);
	__u64 leg;

#pragma nounroll
	for (leg = 0; leg < LOCAL_ADDR_LEGS; leg++) {
		asm volatile("" : "+r"(leg));
		at = ip4_walk(net_address, addr_be, at);
		if (at <= WALK_FOUND)
			return at;
	}
	return 0;
}

/* Walks one leg of the IPv6 addresses, as ip4_walk() does. */
__noinline __u64 ip6_walk(__u64 net_address, __u64 high, __u64 low, __u64 from)
{
	struct net *net = (struct net *)net_address;
	struct list_head *end = (void *)net + bpf_core_field_offset(struct net, dev_base_head);
	struct list_head *at = (struct list_head *)from, *ifa = NULL, *last = NULL;
	struct net_device *device;
	struct inet6_dev *ip6;
	__u64 step;

	if (from & WALK_ADDR) {
		ifa = (struct list_head *)(from - WALK_ADDR);
		ip6 = BPF_CORE_READ((struct inet6_ifaddr *)((void *)ifa -
							    bpf_core_field_offset(
								    struct inet6_ifaddr, if_list)),
				    idev);
		last = (void *)ip6 + bpf_core_field_offset(struct inet6_dev, addr_list);
		at = (void *)BPF_CORE_READ(ip6, dev) +
		     bpf_core_field_offset(struct net_device, dev_list);
	}
	for (step = 0; step < LOCAL_ADDR_LEG; step++) {
		asm volatile("" : "+r"(step));
		if (ifa != last) {
			struct inet6_ifaddr *holder =
				(void *)ifa - bpf_core_field_offset(struct inet6_ifaddr, if_list);
			struct sluice_addr addr = {};

			bpf_probe_read_kernel(
				&addr, sizeof(addr),
				(void *)holder + bpf_core_field_offset(struct inet6_ifaddr, addr));
			if (!((addr.half[0] ^ high) | (addr.half[1] ^ low)))
				return WALK_FOUND;
			ifa = BPF_CORE_READ(ifa, next);
		} else {
			at = BPF_CORE_READ(at, next);
			if (at == end)
				return WALK_END;
			device = (void *)at - bpf_core_field_offset(struct net_device, dev_list);
			ip6 = BPF_CORE_READ(device, ip6_ptr);
			last = (void *)ip6 + bpf_core_field_offset(struct inet6_dev, addr_list);
			ifa = ip6 ? BPF_CORE_READ(last, next) : last;
		}
	}
	return ifa != last ? (__u64)ifa + WALK_ADDR : (__u64)at;
}

static __always_inline int ip6_is_local(__u64 net_address, __u64 high, __u64 low)
{
	__u64 at = net_address + bpf_core_field_offset(struct net, dev_base_head);
	__u64 leg;

	if (!bpf_core_type_exists(struct inet6_ifaddr))
		return 0;
	for (leg = 0; leg < LOCAL_ADDR_LEGS; leg++) {
		asm volatile("" : "+r"(leg));
		at = ip6_walk(net_address, high, low, at);
		if (at <= WALK_FOUND)
			return at;
	}
	return 0;
}

#endif
