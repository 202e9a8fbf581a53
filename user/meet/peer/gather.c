// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * An address of this host is a candidate if other hosts can reach it without a virtual network of
 * this host. The kind of the interface decides, not its name, because each container engine uses
 * names of its own.
 */
#include "meet/peer/gather.h"

#include "meet/scope.h"
#include "net/netdev.h"
#include "net/nl.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if_arp.h>
#include <stdlib.h>
#include <string.h>

#define ADDRESSES_MAX 64

struct address {
	struct in6_addr addr;
	bool temporary;
};

struct gathering {
	const struct netdev *dev;
	size_t devs;
	const char *const *interfaces;
	bool ip6;
	struct address address[ADDRESSES_MAX];
	unsigned int addresses;
};

/* --- interfaces */

/*
 * A veth is the interface of a container; its other end, on the host, has no address or is the port
 * of a bridge.
 */
static bool is_real_kind(const struct netdev *dev)
{
	static const char *const real[] = {
		"", "veth", "vlan", "bond", "team", "ipvlan", "macvlan"
	};
	size_t i;

	for (i = 0; i < sizeof(real) / sizeof(*real); i++)
		if (!strcmp(dev->kind, real[i]))
			return true;
	return false;
}

/*
 * Returns true for a bridge with a port that leads out of this host, unlike a bridge of docker,
 * which has only veth ports.
 */
static bool has_real_port(const struct gathering *gathering, __u32 bridge)
{
	size_t i;

	for (i = 0; i < gathering->devs; i++)
		if (gathering->dev[i].master == bridge && !gathering->dev[i].veth &&
		    is_real_kind(&gathering->dev[i]))
			return true;
	return false;
}

static bool is_wanted(const struct gathering *gathering, __u32 ifindex)
{
	const struct netdev *dev = netdev_numbered(gathering->dev, gathering->devs, ifindex);
	size_t i;

	if (!dev || !dev->up)
		return false;
	for (i = 0; gathering->interfaces && gathering->interfaces[i]; i++)
		if (!strcmp(gathering->interfaces[i], dev->name))
			return true;
	if (gathering->interfaces || dev->type == ARPHRD_LOOPBACK)
		return false;
	return dev->bridge ? has_real_port(gathering, dev->ifindex) : is_real_kind(dev);
}

/* --- addresses */

static void request(struct nlmsghdr *nlh, void *into)
{
	nlh->nlmsg_type = RTM_GETADDR;
	mnl_nlmsg_put_extra_header(nlh, sizeof(struct ifaddrmsg));
}

static void reset(void *into)
{
	((struct gathering *)into)->addresses = 0;
}

static int parse(const struct nlmsghdr *nlh, void *into)
{
	const struct ifaddrmsg *msg = mnl_nlmsg_get_payload(nlh);
	struct gathering *gathering = into;
	const void *value = NULL;
	const struct nlattr *attr;
	uint32_t flags = msg->ifa_flags;
	struct in6_addr addr = { 0 };

	mnl_attr_for_each(attr, nlh, sizeof(*msg)) {
		unsigned int type = mnl_attr_get_type(attr);

		/* IFA_ADDRESS of a point-to-point interface is the remote address */
		if (type == IFA_LOCAL || (type == IFA_ADDRESS && !value))
			value = mnl_attr_get_payload(attr);
		else if (type == IFA_FLAGS)
			flags = mnl_attr_get_u32(attr);
	}
	if (!value || flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED | IFA_F_DEPRECATED))
		return MNL_CB_OK;
	if (msg->ifa_family == AF_INET6 && gathering->ip6) {
		memcpy(&addr, value, sizeof(addr));
	} else if (msg->ifa_family == AF_INET) {
		addr.s6_addr16[5] = 0xffff;
		memcpy(&addr.s6_addr32[3], value, sizeof(addr.s6_addr32[3]));
	} else {
		return MNL_CB_OK;
	}
	if (scope_of(&addr) != SCOPE_NONE && gathering->addresses < ADDRESSES_MAX &&
	    is_wanted(gathering, msg->ifa_index))
		gathering->address[gathering->addresses++] =
			(struct address){ addr, flags & IFA_F_TEMPORARY };
	return MNL_CB_OK;
}

/* IPv4, then temporary IPv6 addresses, whose lower half does not identify the host (RFC 8981). */
static int order_of(const struct address *address)
{
	return IN6_IS_ADDR_V4MAPPED(&address->addr) ? 0 : address->temporary ? 1 : 2;
}

int gather_host(struct candidate candidates[CANDIDATES_MAX], const char *const *interfaces,
		in_port_t port_be, bool ip6, struct err *err)
{
	static const struct nl_dump dump = { NETLINK_ROUTE, request, parse, reset };
	struct gathering gathering = { .interfaces = interfaces, .ip6 = ip6 };
	struct netdev *list = NULL;
	unsigned int i;
	int result, order, count = 0;

	if (netdev_list(&list, &gathering.devs, err))
		return -EIO;
	gathering.dev = list;
	result = nl_dump(&dump, &gathering);
	free(list);
	if (result)
		return err_set(err, EXIT_ERROR, -result,
			       "cannot read the addresses of this host: %s", strerror(-result));
	for (order = 0; order < 3; order++)
		for (i = 0; i < gathering.addresses && count < CANDIDATES_MAX; i++)
			if (order_of(&gathering.address[i]) == order)
				candidates[count++] = (struct candidate){
					.at = { gathering.address[i].addr, port_be },
					.kind = CANDIDATE_HOST,
					.transport = CANDIDATE_UDP,
				};
	return count;
}
