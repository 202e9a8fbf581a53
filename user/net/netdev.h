/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The interfaces of the calling thread's network namespace, by rtnetlink. /sys/class/net was
 * rejected: it shows the namespace in which sysfs was mounted, even after --netns.
 */
#ifndef SLUICE_NET_NETDEV_H
#define SLUICE_NET_NETDEV_H

#include "base/err.h"

#include <linux/types.h>
#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>

struct netdev {
	__u32 ifindex;
	__u32 master; /* ifindex of its bridge, bond or VRF, or 0 */
	__u32 lower;  /* ifindex of the interface below it, as for a VLAN, or 0 */
	__u16 type;   /* ARPHRD_… */
	bool bridge;  /* the interface is a bridge */
	bool vlan;    /* the interface is a VLAN of `lower` */
	bool veth;
	bool up;
	char kind[IFNAMSIZ]; /* IFLA_INFO_KIND; empty for hardware and lo */
	char name[IFNAMSIZ];
};

/* Lists all interfaces in the kernel's order; the caller frees the list. */
int netdev_list(struct netdev **list, size_t *count, struct err *err);
/*
 * Reads one interface by name or, if @name is NULL, by @ifindex. Uses a single request, since
 * listing thousands of interfaces is slow. Returns -ENODEV with *err set if it does not exist.
 */
int netdev_read(const char *name, __u32 ifindex, struct netdev *dev, struct err *err);
/* Find an interface in a list. Return NULL if the list does not have it. */
const struct netdev *netdev_named(const struct netdev *list, size_t count, const char *name);
const struct netdev *netdev_numbered(const struct netdev *list, size_t count, __u32 ifindex);
/* Returns 1 if packets start with an Ethernet header, 0 if with an IP header, -1 otherwise. */
int netdev_has_ethernet(const struct netdev *dev);
/*
 * Finds an interface for XDP. Returns 0, or -ENODEV or, without Ethernet, -EOPNOTSUPP with *err
 * set.
 */
int netdev_find_ethernet(const struct netdev *list, size_t count, const char *name,
			 const struct netdev **dev, struct err *err);
/* Returns true if the driver strips VLAN tags on receive (`ethtool -k`: rx-vlan-offload). */
bool netdev_strips_vlan(const char *name);
/* Returns the inode number of the calling thread's network namespace. */
__u64 netdev_netns(void);

#endif
