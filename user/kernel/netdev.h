/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The interfaces of the calling thread's network namespace, by rtnetlink: /sys/class/net would show
 * those of the namespace that sysfs was mounted in, which --netns leaves behind.
 */
#ifndef SLUICE_KERNEL_NETDEV_H
#define SLUICE_KERNEL_NETDEV_H

#include "base/err.h"

#include <linux/types.h>
#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>

struct netdev {
	__u32 ifindex;
	__u32 master; /* ifindex of the bridge, bond or VRF that it is part of, or 0 */
	__u16 type;   /* ARPHRD_… */
	bool bridge;  /* it is one itself */
	char name[IFNAMSIZ];
};

/* All of them, in the order of the kernel; the caller frees. 0, or -errno with *err set. */
int netdev_list(struct netdev **list, size_t *count, struct err *err);
/* One of a list, or NULL. */
const struct netdev *netdev_named(const struct netdev *list, size_t count, const char *name);
const struct netdev *netdev_numbered(const struct netdev *list, size_t count, __u32 ifindex);
/* Does a packet on it start with an Ethernet header (1), with an IP header (0), or else (-1)? */
int netdev_has_ethernet(const struct netdev *dev);
/* Does its driver take VLAN tags out of what it receives (`ethtool -k`: rx-vlan-offload)? */
bool netdev_strips_vlan(const char *name);
/* The inode number of the namespace itself. */
__u64 netdev_netns(void);

#endif
