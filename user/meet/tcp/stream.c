// SPDX-License-Identifier: GPL-2.0-or-later
#include "meet/tcp/stream.h"

#include "net/sockaddr.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#define READS 16 /* at a wake-up */
/* TCP_USER_TIMEOUT: the kernel drops a connection whose data stays unacknowledged this long. */
#define DEAD_MS	 20000
#define SYNS_MAX 4

static void want(struct tcp_stream *stream)
{
	/* a socket becomes writable when it is connected */
	loop_watch_want(stream->watch, stream->connected, !stream->connected || stream->unsent);
}

void tcp_stream_close(struct tcp_stream *stream, bool reset)
{
	const struct linger linger = { .l_onoff = 1 };

	if (stream->fd < 0)
		return;
	loop_watch_free(stream->loop, stream->watch);
	stream->watch = NULL;
	if (reset)
		setsockopt(stream->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(stream->fd);
	stream->fd = -1;
	stream->connected = false;
	stream->have = stream->unsent = 0;
}

static void fail(struct tcp_stream *stream)
{
	tcp_stream_close(stream, true);
	stream->changed(stream->arg);
}

/* --- messages */

/* Sends as many queued bytes as possible. Returns false if the connection has failed. */
static bool send_queued(struct tcp_stream *stream)
{
	ssize_t sent;

	if (!stream->unsent)
		return true;
	sent = send(stream->fd, stream->out, stream->unsent, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent < 0)
		return errno == EAGAIN || errno == EINTR;
	stream->unsent -= (size_t)sent;
	memmove(stream->out, stream->out + sent, stream->unsent);
	return true;
}

/*
 * Passes complete messages to the callback. Returns false at EOF, on an error, or if the bytes are
 * not a message.
 */
static bool read_messages(struct tcp_stream *stream)
{
	ssize_t got, size = 0;
	size_t at;
	int i;

	for (i = 0; i < READS; i++) {
		got = recv(stream->fd, stream->in + stream->have, sizeof(stream->in) - stream->have,
			   MSG_DONTWAIT);
		if (got < 0)
			return errno == EAGAIN || errno == EINTR;
		if (!got)
			return false;
		stream->have += (size_t)got;
		for (at = 0; at < stream->have; at += (size_t)size) {
			const uint8_t *message = stream->in + at;
			size_t have = stream->have - at;

			size = stream->frame(message, have, TCP_STREAM_MESSAGE);
			if (size < 0)
				return false;
			if (!size || (size_t)size > have)
				break;
			stream->received(stream->arg, message, (size_t)size);
			if (stream->fd < 0)
				return true; /* closed by the callback */
		}
		stream->have -= at;
		memmove(stream->in, stream->in + at, stream->have);
	}
	return true;
}

void tcp_stream_push(struct tcp_stream *stream)
{
	/* the event loop will detect a failed connection */
	send_queued(stream);
	want(stream);
}

bool tcp_stream_has_room(struct tcp_stream *stream, size_t length)
{
	if (stream->connected && length > sizeof(stream->out) - stream->unsent)
		tcp_stream_push(stream);
	return stream->connected && length <= sizeof(stream->out) - stream->unsent;
}

void tcp_stream_queue(struct tcp_stream *stream, const void *data, size_t length)
{
	memcpy(stream->out + stream->unsent, data, length);
	stream->unsent += length;
}

/* --- life */

static bool finish_connect(struct tcp_stream *stream)
{
	int error = 0;
	socklen_t size = sizeof(error);

	if (getsockopt(stream->fd, SOL_SOCKET, SO_ERROR, &error, &size) || error)
		return false;
	stream->connected = true;
	stream->changed(stream->arg);
	return true;
}

static void on_ready(void *arg)
{
	struct tcp_stream *stream = arg;
	bool open = true;

	if (!stream->connected)
		open = finish_connect(stream);
	if (open && stream->fd >= 0)
		open = read_messages(stream) && (stream->fd < 0 || send_queued(stream));
	if (!open)
		fail(stream);
	else if (stream->fd >= 0)
		want(stream);
	stream->flush(stream->arg);
}

static void prepare(int fd)
{
	const int yes = 1, dead = DEAD_MS, syns = SYNS_MAX, room = TCP_STREAM_UNSENT;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &dead, sizeof(dead));
	setsockopt(fd, IPPROTO_TCP, TCP_SYNCNT, &syns, sizeof(syns));
	/* the kernel doubles it: 51 Mbit/s at an RTT of 20 ms */
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
}

static int share_port(int fd)
{
	const int yes = 1;

	return setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) ||
			       setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &yes, sizeof(yes))
		       ? -errno
		       : 0;
}

int tcp_stream_socket(sa_family_t family, in_port_t port_be)
{
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), result = 0;
	const int no = 0;
	union any_sockaddr any;

	if (fd < 0)
		return -errno;
	memset(&any, 0, sizeof(any));
	any.sa.sa_family = family;
	if (family == AF_INET6) {
		any.ip6.sin6_port = port_be;
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof(no));
	} else {
		any.ip4.sin_port = port_be;
	}
	/*
	 * share the port only if it is given: otherwise the kernel could select a port that another
	 * process shares
	 */
	if (port_be)
		result = share_port(fd);
	if (!result && bind(fd, &any.sa, family == AF_INET6 ? sizeof(any.ip6) : sizeof(any.ip4)))
		result = -errno;
	if (!result && !port_be)
		result = share_port(fd);
	if (!result)
		return fd;
	close(fd);
	return result;
}

int tcp_stream_connect(struct tcp_stream *stream, in_port_t port_be, const struct stun_endpoint *at)
{
	union any_sockaddr addr;
	socklen_t size = endpoint_to_sockaddr(at, 0, &addr);
	int result, fd;

	fd = port_be ? tcp_stream_socket(addr.sa.sa_family, port_be)
		     : socket(addr.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return port_be ? fd : -errno;
	prepare(fd);
	stream->fd = fd;
	stream->connected = false;
	stream->have = stream->unsent = 0;
	stream->watch = loop_watch(stream->loop, fd, on_ready, stream);
	result = !stream->watch ? -ENOMEM : connect(fd, &addr.sa, size) ? -errno : 0;
	if (!result || result == -EINPROGRESS) {
		want(stream);
		return 0;
	}
	tcp_stream_close(stream, true);
	return result;
}

int tcp_stream_adopt(struct tcp_stream *stream, int fd)
{
	prepare(fd);
	stream->fd = fd;
	stream->connected = true;
	stream->have = stream->unsent = 0;
	stream->watch = loop_watch(stream->loop, fd, on_ready, stream);
	if (stream->watch) {
		want(stream);
		return 0;
	}
	tcp_stream_close(stream, true);
	return -ENOMEM;
}
