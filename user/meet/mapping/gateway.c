// SPDX-License-Identifier: GPL-2.0-or-later
#include "meet/mapping/gateway.h"

#include "net/nl.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>

static int parse_route(const struct nlmsghdr *nlh, void *into)
{
	struct gateway *gateway = into;
	const struct nlattr *attr;

	mnl_attr_for_each(attr, nlh, sizeof(struct rtmsg)) {
		unsigned int type = mnl_attr_get_type(attr);

		if (mnl_attr_get_payload_len(attr) != sizeof(gateway->addr))
			continue;
		if (type == RTA_GATEWAY)
			memcpy(&gateway->addr, mnl_attr_get_payload(attr), sizeof(gateway->addr));
		else if (type == RTA_PREFSRC)
			memcpy(&gateway->own, mnl_attr_get_payload(attr), sizeof(gateway->own));
	}
	return MNL_CB_OK;
}

int gateway_toward(struct in_addr server, struct gateway *gateway)
{
	struct gateway found = { .addr = { 0 } };
	struct nlmsghdr *nlh;
	struct rtmsg *msg;
	struct nl *nl;
	int result = nl_open(&nl, NETLINK_ROUTE);

	if (result)
		return result;
	nlh = nl_request(nl);
	nlh->nlmsg_type = RTM_GETROUTE;
	msg = mnl_nlmsg_put_extra_header(nlh, sizeof(*msg));
	msg->rtm_family = AF_INET;
	msg->rtm_dst_len = 32;
	mnl_attr_put_u32(nlh, RTA_DST, server.s_addr);
	result = nl_query(nl, nlh, parse_route, &found);
	nl_close(nl);
	if (result || !found.addr.s_addr || !found.own.s_addr)
		return -ENOENT;
	*gateway = found;
	return 0;
}
