// SPDX-License-Identifier: GPL-2.0-or-later
#include "meet/quic/socket.h"

#include "base/addr.h"
#include "meet/channel.h"
#include "net/sockaddr.h"

#include <errno.h>
#include <netinet/udp.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define READS	    16 /* system calls at a wake-up, for the other sockets not to wait */
#define BUFFER_SIZE (4 << 20)
#define WAIT_MS	    2 /* for room in the send buffer: a loss costs more */

union control {
	char room[CMSG_SPACE(sizeof(int))];
	struct cmsghdr align;
};

static void set_options(int fd, bool ip6)
{
	const int size = BUFFER_SIZE, no = 0, yes = 1, ip4_probe = IP_PMTUDISC_PROBE,
		  ip6_probe = IPV6_PMTUDISC_PROBE;

	/* what an old kernel or the limits refuse only costs speed */
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	setsockopt(fd, IPPROTO_UDP, UDP_GRO, &yes, sizeof(yes));
	setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &ip4_probe, sizeof(ip4_probe));
	if (!ip6)
		return;
	setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof(no));
	setsockopt(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &ip6_probe, sizeof(ip6_probe));
}

int peer_socket_open(struct peer_socket *opened, struct err *err)
{
	union any_sockaddr any;
	int family;

	for (family = AF_INET6;; family = AF_INET) {
		int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

		memset(&any, 0, sizeof(any));
		any.sa.sa_family = (sa_family_t)family;
		if (fd >= 0)
			set_options(fd, family == AF_INET6);
		if (fd >= 0 &&
		    !bind(fd, &any.sa, family == AF_INET6 ? sizeof(any.ip6) : sizeof(any.ip4))) {
			*opened = (struct peer_socket){ .fd = fd,
							.ip6 = family == AF_INET6,
							.segments = true };
			return 0;
		}
		if (fd >= 0)
			close(fd);
		/* a kernel without IPv6 */
		if (family == AF_INET)
			return err_set(err, EXIT_ERROR, errno, "cannot open a UDP socket: %s",
				       strerror(errno));
	}
}

void peer_socket_close(struct peer_socket *socket)
{
	if (socket->fd >= 0)
		close(socket->fd);
	socket->fd = -1;
}

in_port_t peer_socket_port(const struct peer_socket *socket)
{
	struct stun_endpoint own = { .port_be = 0 };
	union any_sockaddr addr;
	socklen_t size = sizeof(addr);

	if (getsockname(socket->fd, &addr.sa, &size))
		return 0;
	endpoint_from_sockaddr(&own, &addr);
	return own.port_be;
}

void peer_socket_read(struct peer_socket *socket, peer_socket_fn fn, void *arg)
{
	static uint8_t buffer[65536];
	struct stun_endpoint from;
	union any_sockaddr addr;
	union control control;
	struct cmsghdr *cmsg;
	size_t at, part;
	ssize_t got;
	int i, size;

	for (i = 0; i < READS; i++) {
		struct iovec iov = { buffer, sizeof(buffer) };
		struct msghdr message = { .msg_name = &addr,
					  .msg_namelen = sizeof(addr),
					  .msg_iov = &iov,
					  .msg_iovlen = 1,
					  .msg_control = &control,
					  .msg_controllen = sizeof(control) };

		got = recvmsg(socket->fd, &message, MSG_DONTWAIT);
		if (got < 0 && errno == EAGAIN)
			return;
		if (got <= 0)
			continue;
		size = (int)got;
		for (cmsg = CMSG_FIRSTHDR(&message); cmsg; cmsg = CMSG_NXTHDR(&message, cmsg))
			if (cmsg->cmsg_level == SOL_UDP && cmsg->cmsg_type == UDP_GRO)
				memcpy(&size, CMSG_DATA(cmsg), sizeof(size));
		if (size <= 0)
			continue;
		memset(&from, 0, sizeof(from));
		endpoint_from_sockaddr(&from, &addr);
		for (at = 0; at < (size_t)got; at += part) {
			part = (size_t)got - at < (size_t)size ? (size_t)got - at : (size_t)size;
			fn(arg, &from, buffer + at, part);
		}
	}
}

/* Returns 0 or -errno. */
static int send_batch(struct peer_socket *socket, const union any_sockaddr *addr,
		      socklen_t addr_size, const void *data, size_t length, size_t size)
{
	struct pollfd room = { .fd = socket->fd, .events = POLLOUT };
	struct iovec iov = { (void *)data, length };
	union control control = { .align = { .cmsg_len = CMSG_LEN(sizeof(uint16_t)),
					     .cmsg_level = SOL_UDP,
					     .cmsg_type = UDP_SEGMENT } };
	struct msghdr message = {
		.msg_name = (void *)addr, .msg_namelen = addr_size, .msg_iov = &iov, .msg_iovlen = 1
	};
	const uint16_t segment = (uint16_t)size;
	int tries;

	if (length > size) {
		memcpy(CMSG_DATA(&control.align), &segment, sizeof(segment));
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(sizeof(segment));
	}
	for (tries = 0; tries < 2; tries++) {
		if (sendmsg(socket->fd, &message, MSG_DONTWAIT) >= 0)
			return 0;
		if (errno != EAGAIN && errno != ENOBUFS)
			return -errno;
		poll(&room, 1, WAIT_MS);
	}
	return -EAGAIN;
}

void peer_socket_send(struct peer_socket *socket, const struct stun_endpoint *to, const void *data,
		      size_t length, size_t size)
{
	union any_sockaddr addr;
	socklen_t addr_size;
	size_t at, part;
	int result = -EIO;

	if (socket->ip6) {
		/* a socket of IPv6 takes IPv4 addresses in their mapped form */
		memset(&addr, 0, sizeof(addr));
		addr.ip6 = (struct sockaddr_in6){ .sin6_family = AF_INET6,
						  .sin6_port = to->port_be,
						  .sin6_addr = to->addr };
		addr_size = sizeof(addr.ip6);
	} else if (addr_is_ip4(&to->addr)) {
		addr_size = endpoint_to_sockaddr(to, 0, &addr);
	} else {
		return;
	}
	if (length <= size || socket->segments) {
		result = send_batch(socket, &addr, addr_size, data, length, size);
		if (!result || length <= size) {
			socket->dropped += result == -EAGAIN;
			return;
		}
		/* no checksum offload on the device, or an old kernel */
		if (result == -EIO || result == -EINVAL || result == -ENOPROTOOPT)
			socket->segments = false;
	}
	if (result == -EAGAIN) {
		socket->dropped++;
		return;
	}
	for (at = 0; at < length; at += part) {
		part = length - at < size ? length - at : size;
		if (send_batch(socket, &addr, addr_size, (const uint8_t *)data + at, part, part) ==
		    -EAGAIN)
			socket->dropped++;
	}
}

void peer_socket_send_channel(struct peer_socket *socket, const struct stun_endpoint *server,
			      uint16_t channel, const void *data, size_t length, size_t size)
{
	static uint8_t framed[65507]; /* what IPv4 permits to send at once */
	const uint8_t *from = data;
	size_t used = 0, part;

	for (; length; from += part, length -= part) {
		part = length < size ? length : size;
		if (used + SLUICE_CHANNEL_HEADER + part > sizeof(framed)) {
			peer_socket_send(socket, server, framed, used,
					 SLUICE_CHANNEL_HEADER + size);
			used = 0;
		}
		channel_put_header(framed + used, channel, part);
		memcpy(framed + used + SLUICE_CHANNEL_HEADER, from, part);
		used += SLUICE_CHANNEL_HEADER + part;
	}
	if (used)
		peer_socket_send(socket, server, framed, used, SLUICE_CHANNEL_HEADER + size);
}
