// SPDX-License-Identifier: GPL-2.0-or-later
#include "meet/tcp/paths.h"

#include "base/clock.h"
#include "meet/tcp/record.h"
#include "meet/tcp/stream.h"
#include "net/sockaddr.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <unistd.h>

#define ACCEPTS	  8 /* at a wake-up */
#define BACKLOG	  16
#define SWEEP_US  1000000ULL
#define SECOND_US 1000000ULL

struct connection {
	TAILQ_ENTRY(connection) entry;
	struct tcp_stream stream;
	struct tcp_paths *paths;
	struct stun_endpoint at;
	bool dialed;	    /* outbound, not accepted */
	const void *peer;   /* that has proved the connection; NULL: unproved */
	const void *holder; /* NULL: not held */
	bool over;	    /* to be freed outside of its callbacks */
	uint64_t ends_us;   /* expiry, unless the connection is proved and held */
};

TAILQ_HEAD(connections, connection);

struct tcp_paths {
	struct tcp_paths_options options;
	struct loop_timer *timer;
	int fd; /* the listener */
	bool paused;
	in_port_t port_be;
	struct connections connections; /* sorted by age, oldest first */
};

static bool is_spare(const struct connection *connection)
{
	return !connection->holder;
}

static bool is_dialing(const struct connection *connection)
{
	return connection->dialed && !connection->stream.connected;
}

static bool is_stranger(const struct connection *connection)
{
	return !connection->dialed && !connection->peer;
}

static unsigned int count(const struct tcp_paths *paths, bool (*is)(const struct connection *))
{
	const struct connection *connection;
	unsigned int counted = 0;

	for (connection = TAILQ_FIRST(&paths->connections); connection;
	     connection = TAILQ_NEXT(connection, entry))
		counted += !connection->over && is(connection);
	return counted;
}

static struct connection *find(const struct tcp_paths *paths, const struct stun_endpoint *at)
{
	struct connection *connection;

	for (connection = TAILQ_FIRST(&paths->connections); connection;
	     connection = TAILQ_NEXT(connection, entry))
		if (!connection->over && stun_endpoint_is_same(&connection->at, at))
			return connection;
	return NULL;
}

/* Sets the expiry of a connection to @seconds from now. */
static void set_end(struct connection *connection, unsigned int seconds)
{
	struct tcp_paths *paths = connection->paths;

	connection->ends_us = clock_now_us() + seconds * SECOND_US;
	if (!loop_timer_runs(paths->timer))
		loop_timer_start(paths->timer, SWEEP_US);
}

/* --- life of a connection */

static void end(struct connection *connection)
{
	const struct tcp_paths_options *options = &connection->paths->options;

	connection->over = true;
	tcp_stream_close(&connection->stream, true);
	if (connection->peer)
		options->ended(options->arg, &connection->at);
}

/*
 * Closes the oldest such connection if the limit is reached. So a peer with many connections does
 * not lock others out.
 */
static void make_room(struct tcp_paths *paths, bool (*is)(const struct connection *),
		      unsigned int max)
{
	struct connection *connection;

	if (count(paths, is) < max)
		return;
	for (connection = TAILQ_FIRST(&paths->connections); connection;
	     connection = TAILQ_NEXT(connection, entry))
		if (!connection->over && is(connection)) {
			end(connection);
			return;
		}
}

static void reap(struct tcp_paths *paths)
{
	struct connection *connection = TAILQ_FIRST(&paths->connections), *next;

	for (; connection; connection = next) {
		next = TAILQ_NEXT(connection, entry);
		if (!connection->over)
			continue;
		TAILQ_REMOVE(&paths->connections, connection, entry);
		free(connection);
	}
}

static void on_received(void *arg, const uint8_t *record, size_t size)
{
	struct connection *connection = arg;
	const struct tcp_paths_options *options = &connection->paths->options;

	if (connection->peer && !connection->holder)
		set_end(connection, TCP_PATHS_IDLE_S);
	options->received(options->arg, &connection->at, record + RECORD_HEADER,
			  size - RECORD_HEADER);
}

/* Handles a change of the stream. After a failure, the stream has already closed the descriptor. */
static void on_changed(void *arg)
{
	struct connection *connection = arg;
	struct tcp_paths *paths = connection->paths;

	if (connection->stream.connected) {
		set_end(connection, TCP_PATHS_PROOF_S);
		paths->options.connected(paths->options.arg, &connection->at);
		return;
	}
	end(connection);
}

static void on_flush(void *arg)
{
	struct tcp_paths *paths = ((struct connection *)arg)->paths;

	reap(paths);
	paths->options.flush(paths->options.arg);
}

static struct connection *connection_new(struct tcp_paths *paths, const struct stun_endpoint *at)
{
	struct connection *connection;

	make_room(paths, is_spare, TCP_PATHS_MAX);
	connection = calloc(1, sizeof(*connection));
	if (!connection)
		return NULL;
	connection->paths = paths;
	connection->at = *at;
	connection->stream.loop = paths->options.loop;
	connection->stream.frame = record_frame;
	connection->stream.received = on_received;
	connection->stream.changed = on_changed;
	connection->stream.flush = on_flush;
	connection->stream.arg = connection;
	connection->stream.fd = -1;
	return connection;
}

static void connection_add(struct connection *connection, unsigned int seconds)
{
	TAILQ_INSERT_TAIL(&connection->paths->connections, connection, entry);
	set_end(connection, seconds);
}

/* --- outbound and inbound connections */

static void dial(struct tcp_paths *paths, const struct stun_endpoint *at)
{
	struct connection *connection;

	make_room(paths, is_dialing, TCP_PATHS_DIALS_MAX);
	connection = connection_new(paths, at);
	if (!connection)
		return;
	connection->dialed = true;
	/*
	 * EADDRNOTAVAIL: the other peer has already connected, and its connection is not accepted
	 * yet
	 */
	if (tcp_stream_connect(&connection->stream, paths->port_be, at))
		free(connection);
	else
		connection_add(connection, TCP_PATHS_DIAL_S);
}

static void take(struct tcp_paths *paths, const struct stun_endpoint *at, int fd)
{
	struct connection *connection = find(paths, at);

	/* our attempt used another source address of this host */
	if (connection && is_dialing(connection))
		end(connection);
	else if (connection) {
		close(fd);
		return;
	}
	make_room(paths, is_stranger, TCP_PATHS_UNPROVED_MAX);
	connection = connection_new(paths, at);
	if (!connection)
		close(fd);
	else if (tcp_stream_adopt(&connection->stream, fd))
		free(connection);
	else
		connection_add(connection, TCP_PATHS_PROOF_S);
}

static void on_accept(void *arg)
{
	struct tcp_paths *paths = arg;
	struct stun_endpoint at = { .tcp = true };
	union any_sockaddr addr;
	socklen_t size;
	int i, fd;

	for (i = 0; i < ACCEPTS; i++) {
		size = sizeof(addr);
		fd = accept4(paths->fd, &addr.sa, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0)
			break;
		endpoint_from_sockaddr(&at, &addr);
		at.tcp = true;
		take(paths, &at, fd);
	}
	reap(paths);
	if (fd >= 0 || (errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM))
		return;
	/*
	 * stop polling the listener, since the pending connections would wake this process at once
	 */
	loop_remove(paths->options.loop, paths->fd);
	paths->paused = true;
	loop_timer_start(paths->timer, SWEEP_US);
}

/* --- open, send and close */

static void on_sweep(void *arg)
{
	struct tcp_paths *paths = arg;
	uint64_t now_us = clock_now_us();
	struct connection *connection;
	bool waits = false;

	for (connection = TAILQ_FIRST(&paths->connections); connection;
	     connection = TAILQ_NEXT(connection, entry)) {
		if (connection->over || (connection->peer && connection->holder))
			continue;
		if (connection->ends_us > now_us) {
			waits = true;
			continue;
		}
		end(connection);
	}
	reap(paths);
	if (paths->paused)
		paths->paused = loop_read(paths->options.loop, paths->fd, on_accept, paths);
	if (waits || paths->paused)
		loop_timer_start(paths->timer, SWEEP_US);
	paths->options.flush(paths->options.arg);
}

void tcp_paths_send(struct tcp_paths *paths, const struct stun_endpoint *to, const void *data,
		    size_t length, size_t size)
{
	struct connection *connection = find(paths, to);
	uint8_t header[RECORD_HEADER];
	const uint8_t *from = data;
	size_t part, reserved = *from < 4 ? 0 : TCP_STREAM_RESERVED; /* RFC 9443: 0 to 3 is STUN */

	if (!connection) {
		dial(paths, to);
		return;
	}
	for (; length; from += part, length -= part) {
		part = length < size ? length : size;
		if (!tcp_stream_has_room(&connection->stream, RECORD_HEADER + part + reserved))
			break;
		record_put_header(header, part);
		tcp_stream_queue(&connection->stream, header, sizeof(header));
		tcp_stream_queue(&connection->stream, from, part);
	}
	if (connection->stream.connected)
		tcp_stream_push(&connection->stream);
}

/* Closes the oldest connection of the peer without a holder, if it has as many as it may have. */
static void make_room_of(struct tcp_paths *paths, const void *peer)
{
	struct connection *connection, *oldest = NULL;
	unsigned int counted = 0;

	for (connection = TAILQ_FIRST(&paths->connections); connection;
	     connection = TAILQ_NEXT(connection, entry)) {
		if (connection->over || connection->peer != peer || !is_spare(connection))
			continue;
		if (!counted++)
			oldest = connection;
	}
	if (counted >= TCP_PATHS_PEER_MAX)
		end(oldest);
}

void tcp_paths_prove(struct tcp_paths *paths, const struct stun_endpoint *at, const void *peer)
{
	struct connection *connection = find(paths, at);

	if (!connection || connection->peer)
		return;
	make_room_of(paths, peer);
	connection->peer = peer;
	set_end(connection, TCP_PATHS_IDLE_S);
}

void tcp_paths_hold(struct tcp_paths *paths, const struct stun_endpoint *at, const void *holder)
{
	struct connection *connection = find(paths, at);

	if (connection && !connection->holder)
		connection->holder = holder;
}

void tcp_paths_release(struct tcp_paths *paths, const struct stun_endpoint *at, const void *holder)
{
	struct connection *connection = find(paths, at);

	if (!connection || connection->holder != holder)
		return;
	connection->holder = NULL;
	set_end(connection, TCP_PATHS_IDLE_S);
}

in_port_t tcp_paths_port(const struct tcp_paths *paths)
{
	return paths ? paths->port_be : 0;
}

static int listen_on(struct tcp_paths *paths, bool ip6)
{
	union any_sockaddr own;
	struct stun_endpoint at;
	socklen_t size = sizeof(own);

	paths->fd = tcp_stream_socket(ip6 ? AF_INET6 : AF_INET, 0);
	if (paths->fd < 0)
		return paths->fd;
	if (listen(paths->fd, BACKLOG) || getsockname(paths->fd, &own.sa, &size))
		return -errno;
	endpoint_from_sockaddr(&at, &own);
	paths->port_be = at.port_be;
	return loop_read(paths->options.loop, paths->fd, on_accept, paths);
}

int tcp_paths_open(struct tcp_paths **paths, const struct tcp_paths_options *options, bool ip6)
{
	struct tcp_paths *opened = calloc(1, sizeof(*opened));
	int result;

	if (!opened)
		return -ENOMEM;
	opened->options = *options;
	opened->fd = -1;
	TAILQ_INIT(&opened->connections);
	opened->timer = loop_timer(options->loop, false, on_sweep, opened);
	result = opened->timer ? listen_on(opened, ip6) : -ENOMEM;
	if (result)
		tcp_paths_close(opened);
	else
		*paths = opened;
	return result;
}

void tcp_paths_close(struct tcp_paths *paths)
{
	struct connection *connection;

	if (!paths)
		return;
	for (connection = TAILQ_FIRST(&paths->connections); connection;
	     connection = TAILQ_NEXT(connection, entry)) {
		tcp_stream_close(&connection->stream, !connection->peer);
		connection->over = true;
	}
	reap(paths);
	if (paths->fd >= 0) {
		loop_remove(paths->options.loop, paths->fd);
		close(paths->fd);
	}
	loop_timer_free(paths->options.loop, paths->timer);
	free(paths);
}
