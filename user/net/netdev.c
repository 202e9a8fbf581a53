// SPDX-License-Identifier: GPL-2.0-or-later
#include "net/netdev.h"

#include "base/array.h"
#include "net/nl.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if_arp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* include/uapi/linux/if_arp.h; not in <net/if_arp.h> */
#ifndef ARPHRD_RAWIP
#define ARPHRD_RAWIP 519
#endif
#ifndef ARPHRD_IP6GRE
#define ARPHRD_IP6GRE 823
#endif

struct listing {
	struct netdev *list;
	size_t count, room;
};

static void request(struct nlmsghdr *nlh, void *into)
{
	nlh->nlmsg_type = RTM_GETLINK;
	mnl_nlmsg_put_extra_header(nlh, sizeof(struct ifinfomsg));
}

static int parse_one(const struct nlmsghdr *nlh, void *into)
{
	const struct ifinfomsg *msg = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *attr, *info;
	struct netdev *dev = into;

	*dev = (struct netdev){ .ifindex = (__u32)msg->ifi_index,
				.type = msg->ifi_type,
				.up = msg->ifi_flags & IFF_UP };
	mnl_attr_for_each(attr, nlh, sizeof(*msg)) {
		unsigned int type = mnl_attr_get_type(attr);

		if (type == IFLA_IFNAME)
			snprintf(dev->name, sizeof(dev->name), "%s", mnl_attr_get_str(attr));
		else if (type == IFLA_MASTER)
			dev->master = mnl_attr_get_u32(attr);
		else if (type == IFLA_LINK)
			dev->lower = mnl_attr_get_u32(attr);
		else if (type == IFLA_LINKINFO)
			mnl_attr_for_each_nested(info, attr)
				if (mnl_attr_get_type(info) == IFLA_INFO_KIND) {
					snprintf(dev->kind, sizeof(dev->kind), "%s",
						 mnl_attr_get_str(info));
					dev->bridge = !strcmp(mnl_attr_get_str(info), "bridge");
					dev->vlan = !strcmp(mnl_attr_get_str(info), "vlan");
					dev->veth = !strcmp(mnl_attr_get_str(info), "veth");
				}
	}
	return MNL_CB_OK;
}

static int parse_link(const struct nlmsghdr *nlh, void *into)
{
	struct listing *listing = into;
	struct netdev dev;

	parse_one(nlh, &dev);
	if (array_grow((void **)&listing->list, &listing->room, listing->count, sizeof(dev))) {
		errno = ENOMEM;
		return MNL_CB_ERROR;
	}
	listing->list[listing->count++] = dev;
	return MNL_CB_OK;
}

static void reset(void *into)
{
	((struct listing *)into)->count = 0;
}

int netdev_list(struct netdev **list, size_t *count, struct err *err)
{
	static const struct nl_dump dump = { NETLINK_ROUTE, request, parse_link, reset };
	struct listing listing = { 0 };
	int result = nl_dump(&dump, &listing);

	if (result) {
		free(listing.list);
		return err_set(err, EXIT_ERROR, -result, "list of interfaces: %s",
			       strerror(-result));
	}
	*list = listing.list;
	*count = listing.count;
	return 0;
}

int netdev_read(const char *name, __u32 ifindex, struct netdev *dev, struct err *err)
{
	struct nlmsghdr *nlh;
	struct ifinfomsg *msg;
	struct nl *nl = NULL;
	int result = nl_open(&nl, NETLINK_ROUTE);

	if (!result) {
		nlh = nl_request(nl);
		nlh->nlmsg_type = RTM_GETLINK;
		msg = mnl_nlmsg_put_extra_header(nlh, sizeof(*msg));
		if (name)
			mnl_attr_put_strz(nlh, IFLA_IFNAME, name);
		else
			msg->ifi_index = (int)ifindex;
		result = nl_query(nl, nlh, parse_one, dev);
		nl_close(nl);
	}
	if (!result)
		return 0;
	if (name)
		return err_set(err, EXIT_ERROR, -result, "interface %s: %s", name,
			       strerror(-result));
	return err_set(err, EXIT_ERROR, -result, "interface #%u: %s", ifindex, strerror(-result));
}

const struct netdev *netdev_named(const struct netdev *list, size_t count, const char *name)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (!strcmp(list[i].name, name))
			return &list[i];
	return NULL;
}

const struct netdev *netdev_numbered(const struct netdev *list, size_t count, __u32 ifindex)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (list[i].ifindex == ifindex)
			return &list[i];
	return NULL;
}

int netdev_has_ethernet(const struct netdev *dev)
{
	switch (dev->type) {
	case ARPHRD_ETHER:
	case ARPHRD_LOOPBACK:
		return 1;
	case ARPHRD_NONE: /* tun, WireGuard */
	case ARPHRD_RAWIP:
	case ARPHRD_PPP:
	case ARPHRD_TUNNEL:
	case ARPHRD_TUNNEL6:
	case ARPHRD_SIT:
	case ARPHRD_IPGRE:
	case ARPHRD_IP6GRE:
		return 0;
	default:
		return -1;
	}
}

int netdev_find_ethernet(const struct netdev *list, size_t count, const char *name,
			 const struct netdev **dev, struct err *err)
{
	const struct netdev *found = netdev_named(list, count, name);

	if (!found)
		return err_hint(err, err_set(err, EXIT_ERROR, ENODEV, "no interface '%s'", name),
				"'ip link' lists the interfaces of this network namespace; --netns"
				" enters another");
	if (netdev_has_ethernet(found) != 1)
		return err_set(err, EXIT_ERROR, EOPNOTSUPP,
			       "%s: its packets have no Ethernet header", name);
	*dev = found;
	return 0;
}

bool netdev_strips_vlan(const char *name)
{
	struct ethtool_value flags = { .cmd = ETHTOOL_GFLAGS };
	struct ifreq request = { .ifr_data = (char *)&flags };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool strips;

	if (fd < 0)
		return false;
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	strips = !ioctl(fd, SIOCETHTOOL, &request) && flags.data & ETH_FLAG_RXVLAN;
	close(fd);
	return strips;
}

__u64 netdev_netns(void)
{
	struct stat st = { 0 };

	stat("/proc/thread-self/ns/net", &st);
	return st.st_ino;
}
