// SPDX-License-Identifier: GPL-2.0-or-later
#include "meet/rendezvous/udp.h"

#include "net/sockaddr.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define BATCH	     64
#define DATAGRAM_MAX 2048 /* a longer datagram is truncated, and fails to parse */

union control {
	char room[CMSG_SPACE(sizeof(struct in6_pktinfo))];
	struct cmsghdr align;
};

struct packet {
	union any_sockaddr addr;
	union control control;
	struct iovec iov;
	uint8_t data[DATAGRAM_MAX];
};

struct reader {
	struct udp *udp;
	const struct endpoint *endpoint;
};

struct udp {
	struct loop *loop;
	const struct endpoints *endpoints;
	struct server *server;
	struct transport_hooks hooks;
	struct reader reader[LISTENERS_MAX * SOCKET_ROLES];
	bool reading;
	unsigned int queued;
	struct packet in[BATCH], out[BATCH];
	int out_fd[BATCH];
	struct mmsghdr in_header[BATCH], out_header[BATCH];
};

/* --- out */

/* Sends the queue, with one system call for each run of datagrams from the same socket. */
static void flush_queue(struct udp *udp)
{
	unsigned int first = 0, last;
	int sent;

	for (; first < udp->queued; first = last) {
		for (last = first; last < udp->queued && udp->out_fd[last] == udp->out_fd[first];)
			last++;
		while (first < last) {
			sent = sendmmsg(udp->out_fd[first], &udp->out_header[first], last - first,
					MSG_DONTWAIT);
			/* a datagram that the kernel refuses is dropped */
			first += sent > 0 ? (unsigned int)sent : 1;
		}
	}
	udp->queued = 0;
}

/* Sets the source address of a datagram. */
static void put_source(struct msghdr *header, union control *control, const struct path *path)
{
	struct cmsghdr *cmsg = &control->align;
	struct in_pktinfo *info;
	struct in6_pktinfo *info6;

	memset(control, 0, sizeof(*control));
	header->msg_control = control;
	if (IN6_IS_ADDR_V4MAPPED(&path->local.addr)) {
		header->msg_controllen = CMSG_SPACE(sizeof(*info));
		*cmsg = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(*info)),
					  .cmsg_level = IPPROTO_IP,
					  .cmsg_type = IP_PKTINFO };
		info = (struct in_pktinfo *)CMSG_DATA(cmsg);
		info->ipi_spec_dst.s_addr = path->local.addr.s6_addr32[3];
	} else {
		header->msg_controllen = CMSG_SPACE(sizeof(*info6));
		*cmsg = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(*info6)),
					  .cmsg_level = IPPROTO_IPV6,
					  .cmsg_type = IPV6_PKTINFO };
		info6 = (struct in6_pktinfo *)CMSG_DATA(cmsg);
		info6->ipi6_addr = path->local.addr;
		info6->ipi6_ifindex = path->ifindex;
	}
}

void udp_send(struct udp *udp, const struct path *path, const void *message, size_t length)
{
	const struct endpoint *endpoint = endpoints_find(udp->endpoints, path->listener,
							 path->role);
	struct msghdr *header;
	struct packet *packet;

	if (!endpoint || length > DATAGRAM_MAX)
		return;
	packet = &udp->out[udp->queued];
	header = &udp->out_header[udp->queued].msg_hdr;
	memcpy(packet->data, message, length);
	packet->iov = (struct iovec){ packet->data, length };
	*header = (struct msghdr){ .msg_name = &packet->addr,
				   .msg_namelen = endpoint_to_sockaddr(&path->client, path->ifindex,
								       &packet->addr),
				   .msg_iov = &packet->iov,
				   .msg_iovlen = 1 };
	if (endpoint->wildcard)
		put_source(header, &packet->control, path);
	udp->out_fd[udp->queued++] = endpoint->udp_fd;
	if (udp->queued == BATCH || !udp->reading)
		flush_queue(udp);
}

/* --- in */

/* Sets the local address of a datagram that a wildcard socket received. */
static void read_destination(struct msghdr *header, struct path *path)
{
	struct cmsghdr *cmsg;
	const struct in_pktinfo *info;
	const struct in6_pktinfo *info6;

	for (cmsg = CMSG_FIRSTHDR(header); cmsg; cmsg = CMSG_NXTHDR(header, cmsg)) {
		if (cmsg->cmsg_level == IPPROTO_IP && cmsg->cmsg_type == IP_PKTINFO) {
			info = (const struct in_pktinfo *)CMSG_DATA(cmsg);
			path->local.addr.s6_addr32[3] = info->ipi_spec_dst.s_addr;
		} else if (cmsg->cmsg_level == IPPROTO_IPV6 && cmsg->cmsg_type == IPV6_PKTINFO) {
			info6 = (const struct in6_pktinfo *)CMSG_DATA(cmsg);
			path->local.addr = info6->ipi6_addr;
		}
	}
}

static void on_readable(void *arg)
{
	const struct reader *reader = arg;
	const struct endpoint *endpoint = reader->endpoint;
	struct udp *udp = reader->udp;
	uint64_t now_ns;
	int i, read;

	for (i = 0; i < BATCH; i++) {
		struct packet *packet = &udp->in[i];

		packet->iov = (struct iovec){ packet->data, DATAGRAM_MAX };
		udp->in_header[i].msg_hdr =
			(struct msghdr){ .msg_name = &packet->addr,
					 .msg_namelen = sizeof(packet->addr),
					 .msg_iov = &packet->iov,
					 .msg_iovlen = 1,
					 .msg_control = &packet->control,
					 .msg_controllen = sizeof(packet->control) };
	}
	read = recvmmsg(endpoint->udp_fd, udp->in_header, BATCH, MSG_DONTWAIT, NULL);
	now_ns = udp->hooks.now_ns(udp->hooks.arg);
	udp->reading = true;
	for (i = 0; i < read; i++) {
		struct path path = { .local = endpoint->at,
				     .listener = endpoint->listener,
				     .role = endpoint->role };

		path.ifindex = endpoint_from_sockaddr(&path.client, &udp->in[i].addr);
		if (endpoint->wildcard)
			read_destination(&udp->in_header[i].msg_hdr, &path);
		server_receive(udp->server, &path, udp->in[i].data, udp->in_header[i].msg_len,
			       now_ns);
	}
	udp->reading = false;
	flush_queue(udp);
	udp->hooks.done(udp->hooks.arg);
}

int udp_start(struct udp **made, struct loop *loop, const struct endpoints *endpoints,
	      struct server *server, const struct transport_hooks *hooks)
{
	struct udp *udp = calloc(1, sizeof(*udp));
	unsigned int i;
	int result = 0;

	if (!udp)
		return -ENOMEM;
	udp->loop = loop;
	udp->endpoints = endpoints;
	udp->server = server;
	udp->hooks = *hooks;
	for (i = 0; i < endpoints->count && !result; i++) {
		udp->reader[i] = (struct reader){ udp, &endpoints->endpoint[i] };
		result = loop_read(loop, endpoints->endpoint[i].udp_fd, on_readable,
				   &udp->reader[i]);
	}
	if (result)
		udp_free(udp);
	else
		*made = udp;
	return result;
}

void udp_free(struct udp *udp)
{
	unsigned int i;

	if (!udp)
		return;
	for (i = 0; i < udp->endpoints->count; i++)
		loop_remove(udp->loop, udp->endpoints->endpoint[i].udp_fd);
	free(udp);
}
