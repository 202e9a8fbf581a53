// SPDX-License-Identifier: GPL-2.0-or-later
#include "meet/node/socket.h"

#include "base/addr.h"
#include "meet/channel.h"
#include "net/sockaddr.h"
#include "net/udp_io.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define WAIT_MS 2 /* wait for space in the send buffer: it costs less than a packet loss */

static void set_options(int fd, bool ip6)
{
	const int no = 0, ip4_probe = IP_PMTUDISC_PROBE, ip6_probe = IPV6_PMTUDISC_PROBE;

	udp_io_prepare(fd);
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

struct reader {
	peer_socket_fn fn;
	void *arg;
};

static void on_datagram(void *arg, const union any_sockaddr *addr, const uint8_t *data,
			size_t length)
{
	const struct reader *reader = arg;
	struct stun_endpoint from;

	if (!length)
		return;
	memset(&from, 0, sizeof(from));
	endpoint_from_sockaddr(&from, addr);
	reader->fn(reader->arg, &from, data, length);
}

void peer_socket_read(struct peer_socket *socket, peer_socket_fn fn, void *arg)
{
	struct reader reader = { fn, arg };

	udp_io_read(socket->fd, on_datagram, &reader, &socket->lost);
}

void peer_socket_send(struct peer_socket *socket, const struct stun_endpoint *to, const void *data,
		      size_t length, size_t size)
{
	union any_sockaddr addr;
	socklen_t addr_size;

	if (socket->ip6) {
		/* an IPv6 socket requires IPv4-mapped addresses */
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
	socket->dropped += udp_io_write(socket->fd, &socket->segments, &addr, addr_size, data,
					length, size, WAIT_MS);
}

void peer_socket_send_channel(struct peer_socket *socket, const struct stun_endpoint *server,
			      uint16_t channel, const void *data, size_t length, size_t size)
{
	static uint8_t framed[65507]; /* maximum UDP payload in IPv4 */
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
