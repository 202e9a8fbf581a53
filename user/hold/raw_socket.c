// SPDX-License-Identifier: GPL-2.0-or-later
#include "hold/raw_socket.h"

#include "base/addr.h"
#include "base/log.h"
#include "hold/packet.h"
#include "net/conntrack.h"
#include "net/netns.h"
#include "net/nl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct outlet {
	int netns_fd;
	int home_fd;
	int fd4;
	int fd6;     /* -1: no IPv6 */
	bool as_udp; /* the kernel can route datagrams of raw sockets as UDP */
	struct nl *conntrack;
};

/* include/uapi/linux/in.h of 6.4 */
#ifndef IP_PROTOCOL
#define IP_PROTOCOL 52
#endif

/* In bytes: room for the datagrams of several ticks; each datagram is charged about 800 bytes. */
#define SEND_BUFFER (1 << 20)

/* The control data of a message: source and interface, mark, and protocol. */
union control {
	char data[CMSG_SPACE(sizeof(struct in6_pktinfo)) + 2 * CMSG_SPACE(sizeof(__u32))];
	struct cmsghdr align;
};

int outlet_enter(const struct outlet *outlet)
{
	return netns_switch(outlet->netns_fd);
}

void outlet_leave(const struct outlet *outlet)
{
	int result = netns_switch(outlet->home_fd);

	if (!result)
		return;
	log_warning("cannot return to the daemon's network namespace: %s", strerror(-result));
	exit(EXIT_ERROR);
}

/*
 * Opens a raw socket. By default, routing rules and IPsec policies see its datagrams as protocol
 * 255: rules and policies for UDP would not apply, and the datagrams could take a different route
 * or leave unencrypted. set_control() therefore sets the protocol if the kernel supports this.
 */
static int open_raw(int family)
{
	int fd = socket(family, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_RAW);
	int size = SEND_BUFFER;

	if (fd < 0)
		return -errno;
	/* ignore a failure: a small buffer only delays datagrams */
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	return fd;
}

static bool can_be_udp(int fd)
{
	int protocol;

	return !getsockopt(fd, IPPROTO_IP, IP_PROTOCOL, &protocol,
			   &(socklen_t){ sizeof(protocol) });
}

int outlet_open(struct outlet **opened, __u32 netns, int home_fd, struct err *err)
{
	struct outlet *outlet = calloc(1, sizeof(*outlet));
	int result;

	if (!outlet)
		return err_set(err, EXIT_ERROR, ENOMEM, "hold: out of memory");
	*outlet = (struct outlet){ .home_fd = home_fd, .fd4 = -1, .fd6 = -1 };
	outlet->netns_fd = netns_open_number(netns);
	result = outlet->netns_fd;
	if (result == -ENOENT)
		err_set(err, EXIT_ERROR, ENOENT,
			"network namespace %u has neither a name nor a process", netns);
	else if (result < 0)
		err_set(err, EXIT_ERROR, -result, "network namespace %u: %s", netns,
			strerror(-result));
	if (result < 0) {
		free(outlet);
		return result;
	}
	result = outlet_enter(outlet);
	if (result) {
		err_set(err, EXIT_PERMISSION, -result, "network namespace %u: %s", netns,
			strerror(-result));
		goto failed;
	}
	outlet->fd4 = open_raw(AF_INET);
	result = outlet->fd4 < 0 ? outlet->fd4 : 0;
	outlet->as_udp = can_be_udp(outlet->fd4);
	outlet->fd6 = open_raw(AF_INET6);
	if (conntrack_open(&outlet->conntrack))
		outlet->conntrack = NULL;
	outlet_leave(outlet);
	if (!result) {
		*opened = outlet;
		return 0;
	}
	err_set(err, result == -EPERM ? EXIT_PERMISSION : EXIT_ERROR, -result,
		"raw socket in network namespace %u: %s", netns, strerror(-result));
failed:
	outlet_close(outlet);
	return result;
}

void outlet_close(struct outlet *outlet)
{
	if (!outlet)
		return;
	if (outlet->fd4 >= 0)
		close(outlet->fd4);
	if (outlet->fd6 >= 0)
		close(outlet->fd6);
	if (outlet->conntrack)
		nl_close(outlet->conntrack);
	close(outlet->netns_fd);
	free(outlet);
}

struct nl *outlet_conntrack(struct outlet *outlet)
{
	return outlet->conntrack;
}

/* --- sending */

static void add_control(struct msghdr *message, union control *control, int level, int type,
			const void *data, size_t size)
{
	struct cmsghdr *header = (void *)(control->data + message->msg_controllen);

	header->cmsg_level = level;
	header->cmsg_type = type;
	header->cmsg_len = CMSG_LEN(size);
	memcpy(CMSG_DATA(header), data, size);
	message->msg_controllen += CMSG_SPACE(size);
}

/*
 * Selects the route of the socket's own datagrams by source address, interface, mark and protocol.
 */
static void set_control(struct msghdr *message, union control *control,
			const struct sluice_hold_flow *flow, bool ip4, bool as_udp)
{
	static const int udp = IPPROTO_UDP;

	memset(control, 0, sizeof(*control));
	message->msg_control = control->data;
	if (ip4) {
		struct in_pktinfo info = { .ipi_ifindex = (int)flow->bound_if,
					   .ipi_spec_dst.s_addr = flow->key.local.word_be[3] };

		add_control(message, control, IPPROTO_IP, IP_PKTINFO, &info, sizeof(info));
		if (as_udp)
			add_control(message, control, IPPROTO_IP, IP_PROTOCOL, &udp, sizeof(udp));
	} else {
		struct in6_pktinfo info = { .ipi6_ifindex = flow->bound_if };

		memcpy(&info.ipi6_addr, &flow->key.local, sizeof(info.ipi6_addr));
		add_control(message, control, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof(info));
	}
	if (flow->mark)
		add_control(message, control, SOL_SOCKET, SO_MARK, &flow->mark, sizeof(flow->mark));
}

struct batch {
	struct mmsghdr message[OUTLET_BATCH];
	struct iovec part[OUTLET_BATCH];
	union control control[OUTLET_BATCH];
	struct sockaddr_in6 peer[OUTLET_BATCH];
	__u8 packet[OUTLET_BATCH][HOLD_PACKET_MAX];
	struct outlet_send *send[OUTLET_BATCH];
	unsigned int count;
};

static void batch_add(struct batch *batch, const struct outlet *outlet, struct outlet_send *send,
		      enum hold_payload payload, __u64 seed, bool ip4)
{
	unsigned int i = batch->count++;
	struct msghdr *message = &batch->message[i].msg_hdr;
	struct sockaddr_in *ip4_peer = (struct sockaddr_in *)&batch->peer[i];

	memset(&batch->peer[i], 0, sizeof(batch->peer[i]));
	if (ip4) {
		ip4_peer->sin_family = AF_INET;
		ip4_peer->sin_addr.s_addr = send->flow.key.peer.word_be[3];
	} else {
		batch->peer[i].sin6_family = AF_INET6;
		/* the port of a raw socket's peer is the protocol; 0 means 255 */
		batch->peer[i].sin6_port = htons(outlet->as_udp ? IPPROTO_UDP : 0);
		memcpy(&batch->peer[i].sin6_addr, &send->flow.key.peer,
		       sizeof(batch->peer[i].sin6_addr));
	}
	batch->part[i] = (struct iovec){
		.iov_base = batch->packet[i],
		.iov_len = hold_packet_build(batch->packet[i], &send->flow.key, payload, send->ttl,
					     seed),
	};
	*message = (struct msghdr){ .msg_name = &batch->peer[i],
				    .msg_namelen = ip4 ? sizeof(*ip4_peer) : sizeof(batch->peer[i]),
				    .msg_iov = &batch->part[i],
				    .msg_iovlen = 1 };
	set_control(message, &batch->control[i], &send->flow, ip4, outlet->as_udp);
	batch->send[i] = send;
}

/*
 * Sends a batch. sendmmsg(2) stops at a failed message; this function skips it and sends the rest.
 */
static void batch_send(struct batch *batch, int fd)
{
	unsigned int at = 0;
	int sent;

	while (at < batch->count) {
		sent = fd < 0 ? -1 : sendmmsg(fd, batch->message + at, batch->count - at, 0);
		if (sent > 0) {
			at += (unsigned int)sent;
			continue;
		}
		if (fd >= 0 && errno == EINTR)
			continue;
		batch->send[at]->result = fd < 0 ? -EAFNOSUPPORT : -errno;
		at++;
	}
	batch->count = 0;
}

void outlet_send(struct outlet *outlet, struct outlet_send *sends, size_t count,
		 enum hold_payload payload, __u64 seed)
{
	static struct batch batch;
	int family;
	size_t i;

	for (i = 0; i < count; i++)
		sends[i].result = 0;
	for (family = 0; family < 2; family++) {
		for (i = 0; i < count; i++)
			if (addr_is_ip4(&sends[i].flow.key.peer) == !family)
				batch_add(&batch, outlet, &sends[i], payload, seed, !family);
		batch_send(&batch, family ? outlet->fd6 : outlet->fd4);
	}
}
