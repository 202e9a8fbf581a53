// SPDX-License-Identifier: GPL-2.0-or-later
#include "meet/rendezvous/tcp.h"

#include "base/log.h"
#include "base/timer_wheel.h"
#include "meet/channel.h"
#include "net/prefix.h"
#include "net/sockaddr.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* Per wake-up, so that a flood of TCP delays datagrams by a few milliseconds at most. */
#define EVENTS	   8
#define READ_MAX   2048
#define ROOM_STEPS 64
#define SECOND_NS  1000000000ULL
#define RETRY_US   1000000ULL
/*
 * Limit on the unsent relay data of a connection. The send buffer holds twice as many full-size
 * datagrams, so that an answer still fits.
 */
#define RELAY_UNSENT (24 << 10)

struct connection {
	struct stream stream; /* the server's handle for the connection */
	struct connection *next, **link;
	struct timer timer;
	struct path path;
	int fd;
	bool broken; /* closed by the event loop */
	size_t have;
	uint8_t *partial; /* `have` bytes of an incomplete message, or NULL */
};

struct listening {
	struct tcp *tcp;
	const struct endpoint *endpoint;
	bool paused;
};

struct tcp {
	struct loop *loop;
	const struct endpoints *endpoints;
	struct server *server;
	struct tcp_limits limits;
	struct transport_hooks hooks;
	struct listening listening[LISTENERS_MAX * SOCKET_ROLES];
	struct loop_timer *retry; /* of paused listeners */
	struct log_condition lacking;
	int epoll_fd;
	struct connection *connections;
	struct connection *hand; /* the next one for make_room(); NULL: the first */
	unsigned int count;
	uint64_t refused;
	struct prefixes prefixes;
	struct timer_wheel wheel;
	uint8_t buffer[MESSAGE_MAX + READ_MAX];
};

/* --- connections */

static void connection_close(struct tcp *tcp, struct connection *connection)
{
	server_stream_closed(tcp->server, &connection->stream);
	timer_wheel_remove(&tcp->wheel, &connection->timer);
	prefixes_remove(&tcp->prefixes, &connection->path.client.addr);
	*connection->link = connection->next;
	if (connection->next)
		connection->next->link = connection->link;
	if (tcp->hand == connection)
		tcp->hand = connection->next;
	tcp->count--;
	/* close(2) alone would not, while a child that writes the status still has the descriptor
	 */
	epoll_ctl(tcp->epoll_fd, EPOLL_CTL_DEL, connection->fd, NULL);
	close(connection->fd);
	free(connection->partial);
	free(connection);
}

/* Returns 0 or -errno. */
static int connection_open(struct tcp *tcp, const struct endpoint *endpoint, int fd,
			   const struct path *path)
{
	struct connection *connection = calloc(1, sizeof(*connection));
	struct epoll_event event = { .events = EPOLLIN | EPOLLRDHUP, .data.ptr = connection };
	const int yes = 1;

	if (!connection)
		return -ENOMEM;
	if (prefixes_add(&tcp->prefixes, &path->client.addr)) {
		free(connection);
		return -ENOMEM;
	}
	*connection = (struct connection){ .path = *path, .fd = fd };
	connection->path.stream = &connection->stream;
	if (epoll_ctl(tcp->epoll_fd, EPOLL_CTL_ADD, fd, &event)) {
		prefixes_remove(&tcp->prefixes, &path->client.addr);
		free(connection);
		return -errno;
	}
	/* answers are small, and there is nothing to coalesce */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
	connection->next = tcp->connections;
	connection->link = &tcp->connections;
	if (connection->next)
		connection->next->link = &connection->next;
	tcp->connections = connection;
	tcp->count++;
	timer_wheel_set(&tcp->wheel, &connection->timer,
			tcp->hooks.now_ns(tcp->hooks.arg) + TCP_MESSAGE_S * SECOND_NS);
	return 0;
}

/*
 * Closes the next connection in the list that has no registration, so that idle strangers cannot
 * lock others out. Returns false if the next ROOM_STEPS connections have one.
 */
static bool make_room(struct tcp *tcp)
{
	struct connection *connection;
	int i;

	for (i = 0; i < ROOM_STEPS; i++) {
		connection = tcp->hand ? tcp->hand : tcp->connections;
		tcp->hand = connection->next;
		if (connection->stream.registration || connection->stream.relay_legs)
			continue;
		tcp->refused++;
		connection_close(tcp, connection);
		return true;
	}
	return false;
}

/*
 * Stops accepting while the process or the host is out of descriptors or memory. Otherwise a
 * pending connection would wake this process in a busy loop.
 */
static void pause_accept(struct listening *listening, int error)
{
	struct tcp *tcp = listening->tcp;
	struct err err = { 0 };
	struct log_line line;

	loop_remove(tcp->loop, listening->endpoint->tcp_fd);
	listening->paused = true;
	loop_timer_start(tcp->retry, RETRY_US);
	err_set(&err, EXIT_ERROR, error, "%s", strerror(error));
	if (!log_condition_set(&tcp->lacking, err.what))
		return;
	log_begin(&line, LOG_LEVEL_WARNING, "TCP connections have to wait");
	log_field_err(&line, &err);
	log_end(&line);
}

static void on_accept(void *arg);

static void on_retry(void *arg)
{
	struct tcp *tcp = arg;
	unsigned int i;

	for (i = 0; i < tcp->endpoints->count; i++) {
		struct listening *listening = &tcp->listening[i];

		if (listening->paused &&
		    !loop_read(tcp->loop, listening->endpoint->tcp_fd, on_accept, listening))
			listening->paused = false;
		if (listening->paused)
			loop_timer_start(tcp->retry, RETRY_US);
	}
}

static void on_accept(void *arg)
{
	struct listening *listening = arg;
	const struct endpoint *endpoint = listening->endpoint;
	struct tcp *tcp = listening->tcp;
	union any_sockaddr addr;
	socklen_t length = sizeof(addr);
	struct path path = { .listener = endpoint->listener, .role = endpoint->role };
	int fd = accept4(endpoint->tcp_fd, &addr.sa, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			pause_accept(listening, errno);
		return;
	}
	log_condition_set(&tcp->lacking, NULL);
	path.ifindex = endpoint_from_sockaddr(&path.client, &addr);
	length = sizeof(addr);
	if (prefixes_count(&tcp->prefixes, &path.client.addr) >= tcp->limits.prefix ||
	    getsockname(fd, &addr.sa, &length) ||
	    (tcp->count >= tcp->limits.total && !make_room(tcp))) {
		tcp->refused++;
		close(fd);
		return;
	}
	endpoint_from_sockaddr(&path.local, &addr);
	if (connection_open(tcp, endpoint, fd, &path)) {
		tcp->refused++;
		close(fd);
	}
	tcp->hooks.done(tcp->hooks.arg);
}

/* --- messages */

/* Stores an incomplete message. Returns false on ENOMEM. */
static bool keep_partial(struct connection *connection, const uint8_t *data, size_t length)
{
	connection->have = length;
	if (!length) {
		free(connection->partial);
		connection->partial = NULL;
		return true;
	}
	if (!connection->partial)
		connection->partial = malloc(MESSAGE_MAX);
	if (connection->partial)
		memcpy(connection->partial, data, length);
	return connection->partial;
}

/* Returns the size of the message at the start of a stream, as stun_frame() does. */
static ssize_t frame(const uint8_t *data, size_t have)
{
	return channel_is_data(data, have) ? channel_frame(data, have, MESSAGE_MAX)
					   : stun_frame(data, have, MESSAGE_MAX);
}

/* Returns false if the connection has to be closed. */
static bool connection_read(struct tcp *tcp, struct connection *connection, uint64_t now_ns)
{
	size_t have = connection->have, at = 0;
	bool waited = have;
	ssize_t got, size = 0;

	if (have)
		memcpy(tcp->buffer, connection->partial, have);
	got = recv(connection->fd, tcp->buffer + have, READ_MAX, MSG_DONTWAIT);
	if (got < 0)
		return errno == EAGAIN || errno == EINTR;
	if (!got)
		return false;
	have += (size_t)got;
	while (!connection->broken && (size = frame(tcp->buffer + at, have - at)) > 0 &&
	       (size_t)size <= have - at) {
		server_receive(tcp->server, &connection->path, tcp->buffer + at, (size_t)size,
			       now_ns);
		at += (size_t)size;
	}
	if (size < 0 || connection->broken ||
	    !keep_partial(connection, tcp->buffer + at, have - at))
		return false;
	/* a partial read does not extend the deadline of an incomplete message */
	if (at || !waited)
		timer_wheel_set(&tcp->wheel, &connection->timer,
				now_ns + (connection->have ? TCP_MESSAGE_S : TCP_IDLE_S) *
						 SECOND_NS);
	return true;
}

static void on_readable(void *arg)
{
	struct tcp *tcp = arg;
	struct epoll_event event[EVENTS];
	uint64_t now_ns = tcp->hooks.now_ns(tcp->hooks.arg);
	int i, ready = epoll_wait(tcp->epoll_fd, event, EVENTS, 0);

	for (i = 0; i < ready; i++) {
		struct connection *connection = event[i].data.ptr;

		if (!connection_read(tcp, connection, now_ns))
			connection_close(tcp, connection);
	}
	tcp->hooks.done(tcp->hooks.arg);
}

/*
 * Returns true if the client reads too slowly for the relay. Dropping a datagram is better than a
 * partial write, or closing the connection.
 */
static bool is_congested(int fd)
{
	int unsent = 0;

	return !ioctl(fd, SIOCOUTQ, &unsent) && unsent > RELAY_UNSENT;
}

void tcp_send(struct tcp *tcp, const struct path *path, const void *message, size_t length)
{
	struct connection *connection = (struct connection *)path->stream;

	if (connection->broken ||
	    (channel_is_data(message, length) && is_congested(connection->fd)))
		return;
	if (send(connection->fd, message, length, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)length)
		return;
	/*
	 * the send buffer is full: the client does not read. The shutdown makes the socket
	 * readable.
	 */
	connection->broken = true;
	shutdown(connection->fd, SHUT_RDWR);
}

/* --- the whole */

static void on_idle(struct timer *timer, void *arg)
{
	connection_close(arg,
			 (struct connection *)((char *)timer - offsetof(struct connection, timer)));
}

void tcp_expire(struct tcp *tcp, uint64_t now_ns)
{
	timer_wheel_expire(&tcp->wheel, now_ns, on_idle, tcp);
}

bool tcp_next(const struct tcp *tcp, uint64_t *at_ns)
{
	return timer_wheel_next(&tcp->wheel, at_ns);
}

unsigned int tcp_connections(const struct tcp *tcp)
{
	return tcp->count;
}

uint32_t tcp_limit(const struct tcp *tcp)
{
	return tcp->limits.total;
}

uint64_t tcp_refused(const struct tcp *tcp)
{
	return tcp->refused;
}

int tcp_start(struct tcp **made, struct loop *loop, const struct endpoints *endpoints,
	      struct server *server, const struct tcp_limits *limits,
	      const struct transport_hooks *hooks)
{
	struct tcp *tcp = calloc(1, sizeof(*tcp));
	unsigned int i;
	int result;

	if (!tcp)
		return -ENOMEM;
	tcp->loop = loop;
	tcp->endpoints = endpoints;
	tcp->server = server;
	tcp->limits = *limits;
	tcp->hooks = *hooks;
	timer_wheel_init(&tcp->wheel, hooks->now_ns(hooks->arg), SECOND_NS);
	tcp->retry = loop_timer(loop, false, on_retry, tcp);
	tcp->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	result = tcp->epoll_fd < 0 ? -errno : loop_read(loop, tcp->epoll_fd, on_readable, tcp);
	if (!tcp->retry)
		result = -ENOMEM;
	for (i = 0; i < endpoints->count && !result; i++) {
		tcp->listening[i] = (struct listening){ tcp, &endpoints->endpoint[i], false };
		result = loop_read(loop, endpoints->endpoint[i].tcp_fd, on_accept,
				   &tcp->listening[i]);
	}
	if (result)
		tcp_free(tcp);
	else
		*made = tcp;
	return result;
}

void tcp_free(struct tcp *tcp)
{
	unsigned int i;

	if (!tcp)
		return;
	while (tcp->connections)
		connection_close(tcp, tcp->connections);
	for (i = 0; i < tcp->endpoints->count; i++)
		loop_remove(tcp->loop, tcp->endpoints->endpoint[i].tcp_fd);
	loop_timer_free(tcp->loop, tcp->retry);
	if (tcp->epoll_fd >= 0) {
		loop_remove(tcp->loop, tcp->epoll_fd);
		close(tcp->epoll_fd);
	}
	free(tcp);
}
