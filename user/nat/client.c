// SPDX-License-Identifier: GPL-2.0-or-later
#include "nat/client.h"

#include "base/addr.h"
#include "base/clock.h"
#include "net/sockaddr.h"
#include "net/stun_build.h"

#include <errno.h>
#include <linux/errqueue.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * RFC 8489, section 6.2.1: 500 ms until the first RTT sample. RFC 6298: then three times the RTT.
 */
#define RTO_US	   500000ULL
#define RTO_MIN_US 200000ULL
#define RTO_MAX_US 1000000ULL
/*
 * Seven requests, as in RFC 8489, but the interval grows only up to four RTO. A timeout, which is
 * how a filter is detected, thus takes 23 RTO; with the RFC's intervals, it would take half a
 * minute.
 */
#define TRIES_MAX   7
#define DOUBLED_MAX 2

struct nat_socket {
	int fd;
	struct nat_client *client;
};

struct nat_client {
	struct loop *loop;
	struct loop_timer *timer;
	struct in6_addr source;
	struct nat_query *pending;
	struct nat_socket sockets[NAT_CLIENT_SOCKETS_MAX];
	int count;
	uint64_t rto_us;
};

bool nat_is_same(const struct stun_endpoint *one, const struct stun_endpoint *other)
{
	return one->port_be == other->port_be && !memcmp(&one->addr, &other->addr, 16);
}

static bool is_loopback(const struct in6_addr *addr)
{
	return addr_is_ip4(addr) ? addr->s6_addr[12] == 127 : IN6_IS_ADDR_LOOPBACK(addr);
}

static bool is_link_local(const struct in6_addr *addr)
{
	return addr_is_ip4(addr) ? addr->s6_addr[12] == 169 && addr->s6_addr[13] == 254
				 : IN6_IS_ADDR_LINKLOCAL(addr);
}

bool nat_is_usable(const struct stun_endpoint *reported, const struct in6_addr *server)
{
	const struct in6_addr *addr = &reported->addr;
	bool ip4 = addr_is_ip4(addr);

	if (!reported->port_be || ip4 != addr_is_ip4(server) ||
	    is_loopback(addr) != is_loopback(server) ||
	    (is_link_local(addr) && !is_link_local(server)))
		return false;
	/* exclude 0.0.0.0/8 ("this network"), and 224.0.0.0 and above (multicast to broadcast) */
	return ip4 ? addr->s6_addr[12] && addr->s6_addr[12] < 224
		   : !IN6_IS_ADDR_UNSPECIFIED(addr) && !IN6_IS_ADDR_MULTICAST(addr);
}

/*
 * Opens a UDP socket for IPv6 and IPv4, or only for IPv4 on a kernel without IPv6. Returns -1 with
 * errno on failure.
 */
static int open_udp(int flags)
{
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | flags, 0);

	if (fd < 0 && errno == EAFNOSUPPORT)
		fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | flags, 0);
	return fd;
}

static bool is_ip6(int fd)
{
	int family = AF_INET6;
	socklen_t size = sizeof(family);

	getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &size);
	return family == AF_INET6;
}

/* Fills *sockaddr for this socket, which requires IPv4-mapped addresses if it is for IPv6. */
static socklen_t sockaddr_for(int fd, const struct in6_addr *addr, in_port_t port_be,
			      union any_sockaddr *sockaddr)
{
	const struct stun_endpoint at = { .addr = *addr, .port_be = port_be };

	if (!is_ip6(fd) && IN6_IS_ADDR_UNSPECIFIED(addr)) {
		sockaddr->ip4 = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = port_be };
		return sizeof(sockaddr->ip4);
	}
	if (!is_ip6(fd))
		return endpoint_to_sockaddr(&at, 0, sockaddr);
	sockaddr->ip6 = (struct sockaddr_in6){ .sin6_family = AF_INET6,
					       .sin6_addr = *addr,
					       .sin6_port = port_be };
	return sizeof(sockaddr->ip6);
}

static struct stun_endpoint local_of(int fd)
{
	struct stun_endpoint local = { .port_be = 0 };
	union any_sockaddr sockaddr = { .ip6 = { .sin6_family = AF_INET6 } };
	socklen_t size = sizeof(sockaddr);

	getsockname(fd, &sockaddr.sa, &size);
	endpoint_from_sockaddr(&local, &sockaddr);
	return local;
}

in_port_t nat_local_port(int fd)
{
	return local_of(fd).port_be;
}

int nat_local_addr(const struct in6_addr *to, struct in6_addr *local)
{
	union any_sockaddr sockaddr;
	int fd = open_udp(0), result = 0;

	/* connecting a UDP socket sends no datagram */
	if (fd < 0 || connect(fd, &sockaddr.sa, sockaddr_for(fd, to, htons(9), &sockaddr)))
		result = -errno;
	else
		*local = local_of(fd).addr;
	if (fd >= 0)
		close(fd);
	return result;
}

/* --- the queries */

static void schedule(struct nat_client *client)
{
	const struct nat_query *query;
	uint64_t now = clock_now_us(), next = UINT64_MAX;

	for (query = client->pending; query; query = query->next)
		if (query->due_us < next)
			next = query->due_us;
	if (client->pending)
		loop_timer_start(client->timer, next > now ? next - now : 0);
	else
		loop_timer_stop(client->timer);
}

static void end(struct nat_client *client, struct nat_query *query, enum nat_outcome outcome)
{
	struct nat_query **at = &client->pending;

	while (*at != query)
		at = &(*at)->next;
	*at = query->next;
	query->outcome = outcome;
	query->done(query);
}

static void transmit(struct nat_client *client, struct nat_query *query)
{
	union any_sockaddr to;
	socklen_t size = sockaddr_for(query->fd, &query->to.addr, query->to.port_be, &to);
	unsigned int doubled = query->tries < DOUBLED_MAX ? query->tries : DOUBLED_MAX, i;
	struct stun_builder builder;
	uint8_t message[64];
	size_t length;
	bool sent = false;

	stun_begin(&builder, message, sizeof(message), SLUICE_STUN_BINDING, SLUICE_STUN_REQUEST,
		   query->id);
	if (query->change)
		stun_put_u32(&builder, SLUICE_STUN_CHANGE_REQUEST, query->change);
	if (query->response_port)
		stun_put_u16(&builder, SLUICE_STUN_RESPONSE_PORT, query->response_port);
	length = stun_end(&builder);
	/*
	 * the first sendto() may return a pending ICMP error of an earlier request instead of
	 * sending
	 */
	for (i = 0; i < 2 && !sent; i++) {
		sent = sendto(query->fd, message, length, MSG_DONTWAIT, &to.sa, size) >= 0;
		if (!sent)
			query->error = errno;
	}
	query->sent |= sent;
	query->sent_us = clock_now_us();
	query->due_us = query->sent_us + (client->rto_us << doubled);
	query->tries++;
}

static void on_timer(void *arg)
{
	struct nat_client *client = arg;
	uint64_t now = clock_now_us();
	struct nat_query *query = client->pending;

	while (query) {
		if (query->due_us > now) {
			query = query->next;
			continue;
		}
		if (query->tries < TRIES_MAX)
			transmit(client, query);
		else
			end(client, query, NAT_SILENT);
		/* done() may have changed the list */
		query = client->pending;
	}
	schedule(client);
}

void nat_client_ask(struct nat_client *client, struct nat_query *query, uint64_t delay_us)
{
	query->outcome = NAT_PENDING;
	query->arrived_fd = -1;
	query->tries = 0;
	query->error = 0;
	query->sent = false;
	query->due_us = clock_now_us() + delay_us;
	/* never send a request with a predictable id */
	if (getrandom(query->id, sizeof(query->id), 0) < 0) {
		query->error = errno;
		query->tries = TRIES_MAX;
	}
	query->next = client->pending;
	client->pending = query;
	if (!delay_us && query->tries < TRIES_MAX)
		transmit(client, query);
	schedule(client);
}

/* --- responses and errors */

/*
 * Sets the RTO to three times the first RTT sample (RFC 6298). A retransmitted request gives no
 * sample.
 */
static void measure(struct nat_client *client, const struct nat_query *query)
{
	uint64_t rto_us = 3 * (clock_now_us() - query->sent_us);

	if (query->tries == 1)
		client->rto_us = rto_us < RTO_MIN_US   ? RTO_MIN_US
				 : rto_us > RTO_MAX_US ? RTO_MAX_US
						       : rto_us;
}

static enum nat_outcome read_success(struct nat_query *query, const struct stun_message *message)
{
	struct stun_endpoint plain;

	if (stun_get_mapped(message, &query->mapped))
		return NAT_REFUSED;
	/* an ALG in the NAT may have rewritten addresses in the payload */
	query->rewritten = !stun_get_address(message, SLUICE_STUN_MAPPED_ADDRESS, &plain) &&
			   !nat_is_same(&plain, &query->mapped);
	if (stun_get_address(message, SLUICE_STUN_OTHER_ADDRESS, &query->other) &&
	    stun_get_address(message, SLUICE_STUN_CHANGED_ADDRESS, &query->other))
		query->other.port_be = 0;
	return NAT_ANSWERED;
}

static struct nat_query *find(struct nat_client *client, const struct stun_message *message)
{
	struct nat_query *query = client->pending;

	while (query && (!query->tries || memcmp(stun_id(message), query->id, sizeof(query->id))))
		query = query->next;
	return query;
}

static void receive(struct nat_client *client, int fd, const void *data, size_t length,
		    const union any_sockaddr *from)
{
	enum nat_outcome outcome = NAT_REFUSED;
	struct stun_message message;
	struct nat_query *query;
	int result = stun_parse(data, length, &message);

	query = result != -EPROTO ? find(client, &message) : NULL;
	if (!query)
		return;
	endpoint_from_sockaddr(&query->from, from);
	/* the request was echoed: this is not a STUN server */
	if (message.class == SLUICE_STUN_REQUEST && nat_is_same(&query->from, &query->to))
		return;
	query->arrived_fd = fd;
	query->code = 0;
	if (message.class == SLUICE_STUN_REQUEST)
		outcome = NAT_LOOPED;
	else if (!stun_is_response(&message, query->id))
		return;
	else if (!result && message.class == SLUICE_STUN_SUCCESS)
		outcome = read_success(query, &message);
	else if (!result)
		stun_get_error(&message, &query->code);
	/* a hairpinned request has not reached the server */
	if (outcome != NAT_LOOPED)
		measure(client, query);
	end(client, query, outcome);
}

static int error_of(struct msghdr *message)
{
	struct cmsghdr *part;

	for (part = CMSG_FIRSTHDR(message); part; part = CMSG_NXTHDR(message, part))
		if ((part->cmsg_level == SOL_IP && part->cmsg_type == IP_RECVERR) ||
		    (part->cmsg_level == SOL_IPV6 && part->cmsg_type == IPV6_RECVERR))
			return (int)((struct sock_extended_err *)(void *)CMSG_DATA(part))->ee_errno;
	return 0;
}

/*
 * Records an ICMP error for the queries of a socket to the quoted destination. The quote may be too
 * short for the transaction id.
 */
static void refuse(struct nat_client *client, int fd, const struct stun_endpoint *to, int error)
{
	struct nat_query *query = client->pending;

	while (query) {
		struct nat_query *next = query->next;

		if (query->fd == fd && query->tries && nat_is_same(&query->to, to)) {
			query->error = error;
			/* only this error is final: others may be temporary */
			if (error == ECONNREFUSED) {
				end(client, query, NAT_SILENT);
				next = client->pending;
			}
		}
		query = next;
	}
}

static void read_errors(struct nat_client *client, int fd)
{
	for (;;) {
		union any_sockaddr to = { .sa = { .sa_family = AF_UNSPEC } };
		_Alignas(struct cmsghdr) char control[256];
		struct msghdr message = { .msg_name = &to,
					  .msg_namelen = sizeof(to),
					  .msg_control = control,
					  .msg_controllen = sizeof(control) };
		struct stun_endpoint quoted;

		if (recvmsg(fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
			return;
		endpoint_from_sockaddr(&quoted, &to);
		if (to.sa.sa_family != AF_UNSPEC)
			refuse(client, fd, &quoted, error_of(&message));
	}
}

static void on_readable(void *arg)
{
	const struct nat_socket *socket = arg;
	union any_sockaddr from = { .ip6 = { .sin6_family = AF_INET6 } };
	socklen_t size = sizeof(from);
	uint8_t data[2048];
	ssize_t length = recvfrom(socket->fd, data, sizeof(data), MSG_DONTWAIT, &from.sa, &size);

	if (length < 0)
		read_errors(socket->client, socket->fd);
	else
		receive(socket->client, socket->fd, data, (size_t)length, &from);
	schedule(socket->client);
}

/* --- setup and teardown */

int nat_client_socket(struct nat_client *client, struct err *err)
{
	union any_sockaddr local;
	struct nat_socket *added = &client->sockets[client->count];
	char text[ADDR_TEXT_MAX];
	int fd, on = 1, off = 0, error;
	socklen_t size;

	if (client->count == NAT_CLIENT_SOCKETS_MAX)
		return err_set(err, EXIT_ERROR, EMFILE, "more than %d sockets",
			       NAT_CLIENT_SOCKETS_MAX);
	fd = open_udp(SOCK_NONBLOCK);
	if (fd < 0)
		return err_set(err, EXIT_ERROR, errno, "UDP socket: %s", strerror(errno));
	/* ignore a failure: without these options, ICMP errors only become timeouts */
	setsockopt(fd, SOL_IP, IP_RECVERR, &on, sizeof(on));
	setsockopt(fd, SOL_IPV6, IPV6_RECVERR, &on, sizeof(on));
	setsockopt(fd, SOL_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	size = sockaddr_for(fd, &client->source, 0, &local);
	if (bind(fd, &local.sa, size)) {
		error = errno;
		close(fd);
		addr_format(&client->source, text);
		if (error != EADDRNOTAVAIL)
			return err_set(err, EXIT_ERROR, error, "%s: %s", text, strerror(error));
		return err_hint(err,
				err_set(err, EXIT_USAGE, error,
					"%s: not an address of this host or network namespace",
					text),
				"'ip address' lists the possible source addresses");
	}
	*added = (struct nat_socket){ .fd = fd, .client = client };
	error = loop_read(client->loop, fd, on_readable, added);
	if (error) {
		loop_remove(client->loop, fd);
		close(fd);
		return err_set(err, EXIT_ERROR, -error, "UDP socket: %s", strerror(-error));
	}
	client->count++;
	return fd;
}

struct nat_client *nat_client_new(struct loop *loop, const struct in6_addr *source)
{
	struct nat_client *client = calloc(1, sizeof(*client));

	if (!client)
		return NULL;
	*client = (struct nat_client){ .loop = loop, .rto_us = RTO_US };
	if (source)
		client->source = *source;
	client->timer = loop_timer(loop, false, on_timer, client);
	if (client->timer)
		return client;
	free(client);
	return NULL;
}

void nat_client_free(struct nat_client *client)
{
	int i;

	if (!client)
		return;
	for (i = 0; i < client->count; i++) {
		loop_remove(client->loop, client->sockets[i].fd);
		close(client->sockets[i].fd);
	}
	loop_timer_free(client->loop, client->timer);
	free(client);
}
