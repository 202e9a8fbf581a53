// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/rtnl_events.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define BUFFER_SIZE 32768
/* Room for some thousands of interfaces that come at once. */
#define NEWS_ROOM (4 << 20)
/* Others want their turn, too, however much there is to read. */
#define ROUNDS_MAX 256

struct rtnl {
	struct mnl_socket *socket;
	struct rtnl_handlers news;
	void *arg;
	bool lost;
	bool addresses;
	bool routes;
	char buffer[BUFFER_SIZE];
};

static bool link_from(const struct nlmsghdr *nlh, struct rtnl_link *link)
{
	const struct ifinfomsg *msg = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *attr;

	/* Bridges send messages of a family of their own about their ports, too. */
	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*msg) || msg->ifi_family != AF_UNSPEC)
		return false;
	*link = (struct rtnl_link){ .index = (unsigned int)msg->ifi_index };
	mnl_attr_for_each(attr, nlh, sizeof(*msg)) {
		if (mnl_attr_get_type(attr) == IFLA_IFNAME &&
		    !mnl_attr_validate(attr, MNL_TYPE_NUL_STRING))
			strncpy(link->name, mnl_attr_get_str(attr), sizeof(link->name) - 1);
		if (mnl_attr_get_type(attr) == IFLA_MASTER &&
		    !mnl_attr_validate(attr, MNL_TYPE_U32))
			link->master = mnl_attr_get_u32(attr);
	}
	return true;
}

/* --- news */

static int join(struct mnl_socket *socket, const int *groups, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (mnl_socket_setsockopt(socket, NETLINK_ADD_MEMBERSHIP, (void *)&groups[i],
					  sizeof(groups[i])) < 0)
			return -errno;
	return 0;
}

static int begin(struct mnl_socket *socket)
{
	static const int groups[] = { RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR };
	const int room = NEWS_ROOM;

	/* Without CAP_NET_ADMIN the sysctl net.core.rmem_max is the limit. */
	if (setsockopt(mnl_socket_get_fd(socket), SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)))
		setsockopt(mnl_socket_get_fd(socket), SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0)
		return -errno;
	return join(socket, groups, sizeof(groups) / sizeof(*groups));
}

int rtnl_open(struct rtnl **rtnl, const struct rtnl_handlers *news, void *arg)
{
	struct rtnl *made = calloc(1, sizeof(*made));
	int result;

	if (!made)
		return -ENOMEM;
	made->news = *news;
	made->arg = arg;
	made->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	result = made->socket ? begin(made->socket) : -errno;
	if (result)
		rtnl_close(made);
	else
		*rtnl = made;
	return result;
}

int rtnl_add_routes(struct rtnl *rtnl)
{
	static const int groups[] = { RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE };

	return join(rtnl->socket, groups, sizeof(groups) / sizeof(*groups));
}

void rtnl_close(struct rtnl *rtnl)
{
	if (rtnl && rtnl->socket)
		mnl_socket_close(rtnl->socket);
	free(rtnl);
}

int rtnl_fd(const struct rtnl *rtnl)
{
	return mnl_socket_get_fd(rtnl->socket);
}

static int take(const struct nlmsghdr *nlh, void *into)
{
	struct rtnl *rtnl = into;
	struct rtnl_link link;

	switch (nlh->nlmsg_type) {
	case RTM_NEWLINK:
		if (link_from(nlh, &link))
			rtnl->news.link(&link, rtnl->arg);
		break;
	case RTM_DELLINK:
		if (link_from(nlh, &link))
			rtnl->news.gone(&link, rtnl->arg);
		break;
	case RTM_NEWADDR:
	case RTM_DELADDR:
		rtnl->addresses = true;
		break;
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		rtnl->routes = true;
		break;
	}
	return MNL_CB_OK;
}

/* The length of what the kernel says; 0: somebody else said it; -ENOBUFS: some of it is lost. */
static ssize_t receive(struct rtnl *rtnl)
{
	struct sockaddr_nl from = { .nl_pid = 0 };
	struct iovec into = { rtnl->buffer, sizeof(rtnl->buffer) };
	struct msghdr msg = {
		.msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &into, .msg_iovlen = 1
	};
	ssize_t length = recvmsg(mnl_socket_get_fd(rtnl->socket), &msg, 0);

	if (length < 0)
		return -errno;
	if (msg.msg_namelen != sizeof(from) || from.nl_pid)
		return 0;
	return msg.msg_flags & MSG_TRUNC ? -ENOBUFS : length;
}

/* 1 if there may be more, 0 if not, -errno. */
static int read_some(struct rtnl *rtnl)
{
	ssize_t length = receive(rtnl);

	if (length == -ENOBUFS)
		rtnl->lost = true;
	/* what can't be read may have been anything */
	else if (length > 0 && mnl_cb_run(rtnl->buffer, (size_t)length, 0, 0, take, rtnl) < 0)
		rtnl->lost = true;
	if (length >= 0 || length == -ENOBUFS || length == -EINTR)
		return 1;
	return length == -EAGAIN ? 0 : (int)length;
}

/*
 * That news were lost is told when there are no more to read: those are older than the snapshot
 * that is taken then, and must not be taken for newer.
 */
int rtnl_read(struct rtnl *rtnl)
{
	int more, rounds = 0;

	do
		more = read_some(rtnl);
	while (more > 0 && ++rounds < ROUNDS_MAX);
	if (rtnl->lost && more <= 0) {
		rtnl->lost = false;
		rtnl->news.lost(rtnl->arg);
	}
	if (rtnl->addresses)
		rtnl->news.address(rtnl->arg);
	if (rtnl->routes)
		rtnl->news.route(rtnl->arg);
	rtnl->addresses = rtnl->routes = false;
	return more < 0 ? more : 0;
}
