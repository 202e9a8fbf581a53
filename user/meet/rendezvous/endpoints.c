// SPDX-License-Identifier: GPL-2.0-or-later
#include "meet/rendezvous/endpoints.h"

#include "base/addr.h"
#include "net/inet.h"
#include "net/sockaddr.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define RECEIVE_BUFFER (4 << 20) /* holds a burst of 10^4 requests */
/* Of a connection: a client that does not read, or sends out of order, pins little memory. */
#define CONNECTION_RECEIVE (16 << 10)
#define CONNECTION_SEND	   (64 << 10) /* a 32-byte datagram is charged 1 kB */
#define BACKLOG		   1024

/* Formats the process that owns the UDP port as " by NAME (PID)", or "" if it is not found. */
static const char *holder_of(const struct stun_endpoint *at, char text[64])
{
	struct inet inet = { .locals = 0 };
	size_t i;

	*text = '\0';
	if (inet_read(&inet, &(struct err){ 0 }))
		return text;
	for (i = 0; i < inet.sockets; i++) {
		const struct inet_socket *socket = &inet.socket[i];

		if (socket->local_port_be != at->port_be || socket->peer_port_be || !socket->pid)
			continue;
		snprintf(text, 64, " by %s (%d)", socket->process, socket->pid);
		break;
	}
	inet_free(&inet);
	return text;
}

static int open_error(const struct stun_endpoint *at, const char *transport, int error,
		      struct err *err)
{
	char text[ADDR_TEXT_MAX], holder[64] = "";

	addr_format_port(&at->addr, at->port_be, text);
	switch (error) {
	case EADDRINUSE:
		if (!strcmp(transport, "UDP"))
			holder_of(at, holder);
		return err_hint(err,
				err_set(err, EXIT_CONFLICT, error, "%s: the %s port is in use%s",
					text, transport, holder),
				"stop that program, or give another --listen");
	case EADDRNOTAVAIL:
		return err_hint(err,
				err_set(err, EXIT_USAGE, error,
					"%s: not an address of this host or network namespace",
					text),
				"give the address of an interface; behind a 1:1 NAT, that is the"
				" private one");
	case EACCES:
		return err_hint(err,
				err_set(err, EXIT_PERMISSION, error,
					"%s: ports below 1024 need CAP_NET_BIND_SERVICE", text),
				"run as root, or grant it: AmbientCapabilities= of a systemd unit");
	default:
		return err_set(err, EXIT_ERROR, error, "%s: cannot open the %s socket: %s", text,
			       transport, strerror(error));
	}
}

/* A connection inherits the buffers of its listening socket. */
static void set_buffers(int fd, int type)
{
	const int burst = RECEIVE_BUFFER, in = CONNECTION_RECEIVE, out = CONNECTION_SEND;

	if (type == SOCK_STREAM) {
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &in, sizeof(in));
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &out, sizeof(out));
	} else if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &burst, sizeof(burst))) {
		/* limited to net.core.rmem_max without CAP_NET_ADMIN */
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &burst, sizeof(burst));
	}
}

/* Returns a bound socket, or -errno. */
static int open_socket(const struct endpoint *endpoint, int type)
{
	union any_sockaddr addr;
	socklen_t length = endpoint_to_sockaddr(&endpoint->at, 0, &addr);
	const int family = addr.sa.sa_family, yes = 1;
	int fd = socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), result = 0;

	if (fd < 0)
		return -errno;
	if (family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof(yes)))
		result = -errno;
	if (type == SOCK_STREAM && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)))
		result = -errno;
	if (type == SOCK_DGRAM && endpoint->wildcard &&
	    (family == AF_INET ? setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &yes, sizeof(yes))
			       : setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &yes, sizeof(yes))))
		result = -errno;
	set_buffers(fd, type);
	if (!result && bind(fd, &addr.sa, length))
		result = -errno;
	if (!result && type == SOCK_STREAM && listen(fd, BACKLOG))
		result = -errno;
	if (!result)
		return fd;
	close(fd);
	return result;
}

static int endpoint_open(struct endpoint *endpoint, struct err *err)
{
	endpoint->udp_fd = open_socket(endpoint, SOCK_DGRAM);
	if (endpoint->udp_fd < 0)
		return open_error(&endpoint->at, "UDP", -endpoint->udp_fd, err);
	endpoint->tcp_fd = open_socket(endpoint, SOCK_STREAM);
	if (endpoint->tcp_fd < 0)
		return open_error(&endpoint->at, "TCP", -endpoint->tcp_fd, err);
	return 0;
}

int endpoints_open(struct endpoints *endpoints, const struct server_config *config, struct err *err)
{
	unsigned int i, role;
	int result = 0;

	endpoints->count = 0;
	for (i = 0; i < config->listeners && !result; i++) {
		const struct listener *listener = &config->listener[i];

		for (role = 0; role < (listener->has_alternate ? SOCKET_ROLES : 1) && !result;
		     role++) {
			struct endpoint *endpoint = &endpoints->endpoint[endpoints->count++];
			const struct stun_endpoint at = listener_address(listener, role);

			*endpoint = (struct endpoint){
				.udp_fd = -1,
				.tcp_fd = -1,
				.listener = (uint8_t)i,
				.role = (uint8_t)role,
				.at = at,
				.wildcard = IN6_IS_ADDR_UNSPECIFIED(&at.addr) ||
					    (addr_is_ip4(&at.addr) && !at.addr.s6_addr32[3]),
			};
			result = endpoint_open(endpoint, err);
		}
	}
	if (result)
		endpoints_close(endpoints);
	return result;
}

void endpoints_close(struct endpoints *endpoints)
{
	unsigned int i;

	for (i = 0; i < endpoints->count; i++) {
		if (endpoints->endpoint[i].udp_fd >= 0)
			close(endpoints->endpoint[i].udp_fd);
		if (endpoints->endpoint[i].tcp_fd >= 0)
			close(endpoints->endpoint[i].tcp_fd);
	}
	endpoints->count = 0;
}

const struct endpoint *endpoints_find(const struct endpoints *endpoints, uint8_t listener,
				      uint8_t role)
{
	unsigned int i;

	for (i = 0; i < endpoints->count; i++)
		if (endpoints->endpoint[i].listener == listener &&
		    endpoints->endpoint[i].role == role)
			return &endpoints->endpoint[i];
	return NULL;
}
