// SPDX-License-Identifier: GPL-2.0-or-later
#include "net/rtnl_events.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define BUFFER_SIZE 32768
/* Receive buffer, in bytes: room for the events of a few thousand new interfaces. */
#define RECEIVE_BUFFER (4 << 20)
/* Messages per call, limited so that the event loop also serves its other descriptors. */
#define MESSAGES_MAX 256

struct rtnl {
	struct mnl_socket *socket;
	struct rtnl_handlers handlers;
	void *arg;
	bool lost;
	char buffer[BUFFER_SIZE];
};

static bool parse_link(const struct nlmsghdr *nlh, struct rtnl_link *link)
{
	const struct ifinfomsg *msg = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *attr, *info;

	/* bridges also send messages about their ports, with family AF_BRIDGE */
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
		if (mnl_attr_get_type(attr) == IFLA_LINKINFO)
			mnl_attr_for_each_nested(info, attr)
				if (mnl_attr_get_type(info) == IFLA_INFO_KIND &&
				    !mnl_attr_validate(info, MNL_TYPE_NUL_STRING))
					link->bridge = !strcmp(mnl_attr_get_str(info), "bridge");
	}
	return true;
}

int rtnl_open(struct rtnl **rtnl, const struct rtnl_handlers *handlers, void *arg)
{
	struct rtnl *opened = calloc(1, sizeof(*opened));
	const int size = RECEIVE_BUFFER, group = RTNLGRP_LINK;
	int fd, result;

	if (!opened)
		return -ENOMEM;
	opened->handlers = *handlers;
	opened->arg = arg;
	opened->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!opened->socket) {
		result = -errno;
		goto fail;
	}
	/* without CAP_NET_ADMIN, the sysctl net.core.rmem_max limits the size */
	fd = mnl_socket_get_fd(opened->socket);
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)))
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (mnl_socket_bind(opened->socket, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    mnl_socket_setsockopt(opened->socket, NETLINK_ADD_MEMBERSHIP, (void *)&group,
				  sizeof(group)) < 0) {
		result = -errno;
		goto fail;
	}
	*rtnl = opened;
	return 0;
fail:
	rtnl_close(opened);
	return result;
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

static int parse_event(const struct nlmsghdr *nlh, void *into)
{
	struct rtnl *rtnl = into;
	struct rtnl_link link;

	switch (nlh->nlmsg_type) {
	case RTM_NEWLINK:
		if (parse_link(nlh, &link))
			rtnl->handlers.link(&link, rtnl->arg);
		break;
	case RTM_DELLINK:
		if (parse_link(nlh, &link))
			rtnl->handlers.gone(&link, rtnl->arg);
		break;
	}
	return MNL_CB_OK;
}

/*
 * Returns the length of a message; 0 if another process sent it or a signal interrupted the call;
 * -ENOBUFS if messages were lost; or another -errno.
 */
static ssize_t receive(struct rtnl *rtnl)
{
	struct sockaddr_nl from = { .nl_pid = 0 };
	struct iovec into = { rtnl->buffer, sizeof(rtnl->buffer) };
	struct msghdr msg = {
		.msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &into, .msg_iovlen = 1
	};
	ssize_t length = recvmsg(mnl_socket_get_fd(rtnl->socket), &msg, 0);

	if (length < 0)
		return errno == EINTR ? 0 : -errno;
	if (msg.msg_namelen != sizeof(from) || from.nl_pid)
		return 0;
	return msg.msg_flags & MSG_TRUNC ? -ENOBUFS : length;
}

/*
 * Reports a loss only when the queue is empty. The handler then takes a snapshot; older events that
 * are still queued must not be applied after it.
 */
int rtnl_read(struct rtnl *rtnl)
{
	ssize_t length = 0;
	int count;

	for (count = 0; count < MESSAGES_MAX; count++) {
		length = receive(rtnl);
		if (length < 0 && length != -ENOBUFS)
			break;
		/* a message that cannot be parsed may be any event */
		if (length == -ENOBUFS || (length > 0 && mnl_cb_run(rtnl->buffer, (size_t)length, 0,
								    0, parse_event, rtnl) < 0))
			rtnl->lost = true;
	}
	if (rtnl->lost && count < MESSAGES_MAX) {
		rtnl->lost = false;
		rtnl->handlers.lost(rtnl->arg);
	}
	return count == MESSAGES_MAX || length == -EAGAIN ? 0 : (int)length;
}
