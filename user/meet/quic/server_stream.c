// SPDX-License-Identifier: GPL-2.0-or-later
#include "meet/quic/server_stream.h"

#include "meet/channel.h"
#include "net/sockaddr.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#define READS 16 /* at a wake-up */
/* TCP_USER_TIMEOUT: the kernel drops a connection whose data stays unacknowledged this long. */
#define DEAD_MS	 20000
#define SYNS_MAX 4
/* What the relay leaves free in the queue, for requests. */
#define RESERVED (8 << 10)

static void want(struct server_stream *stream)
{
	/* a connection becomes writable when it is made */
	loop_watch_want(stream->watch, stream->connected, !stream->connected || stream->unsent);
}

void server_stream_close(struct server_stream *stream)
{
	if (stream->fd < 0)
		return;
	loop_watch_free(stream->loop, stream->watch);
	stream->watch = NULL;
	close(stream->fd);
	stream->fd = -1;
	stream->connected = false;
	stream->have = stream->unsent = 0;
}

static void fail(struct server_stream *stream)
{
	server_stream_close(stream);
	stream->changed(stream->arg);
}

/* Sends what can be sent now. Returns false if the connection has ended. */
static bool send_queued(struct server_stream *stream)
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

/* Hands over whole messages. Returns false for bytes that are none, or at the end. */
static bool read_messages(struct server_stream *stream)
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

			size = channel_is_data(message, have)
				       ? channel_frame(message, have, SERVER_STREAM_MESSAGE)
				       : stun_frame(message, have, SERVER_STREAM_MESSAGE);
			if (size < 0)
				return false;
			if (!size || (size_t)size > have)
				break;
			stream->received(stream->arg, message, (size_t)size);
			if (stream->fd < 0)
				return true; /* by the callback */
		}
		stream->have -= at;
		memmove(stream->in, stream->in + at, stream->have);
	}
	return true;
}

static bool finish_connect(struct server_stream *stream)
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
	struct server_stream *stream = arg;
	bool open = true;

	if (!stream->connected)
		open = finish_connect(stream);
	if (open)
		open = read_messages(stream) && (stream->fd < 0 || send_queued(stream));
	if (!open)
		fail(stream);
	else if (stream->fd >= 0)
		want(stream);
	stream->flush(stream->arg);
}

int server_stream_open(struct server_stream *stream, const struct stun_endpoint *at)
{
	const int yes = 1, dead = DEAD_MS, syns = SYNS_MAX, room = SERVER_STREAM_UNSENT;
	union any_sockaddr addr;
	socklen_t size = endpoint_to_sockaddr(at, 0, &addr);

	stream->fd = socket(addr.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (stream->fd < 0)
		return -errno;
	setsockopt(stream->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
	setsockopt(stream->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &dead, sizeof(dead));
	setsockopt(stream->fd, IPPROTO_TCP, TCP_SYNCNT, &syns, sizeof(syns));
	/* what waits in a queue is late */
	setsockopt(stream->fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	stream->connected = false;
	stream->have = stream->unsent = 0;
	stream->watch = loop_watch(stream->loop, stream->fd, on_ready, stream);
	if (stream->watch && (!connect(stream->fd, &addr.sa, size) || errno == EINPROGRESS)) {
		want(stream);
		return 0;
	}
	server_stream_close(stream);
	return -EHOSTUNREACH;
}

static void queue(struct server_stream *stream, const void *data, size_t length)
{
	memcpy(stream->out + stream->unsent, data, length);
	stream->unsent += length;
}

void server_stream_send(struct server_stream *stream, const void *message, size_t length)
{
	if (!stream->connected || length > sizeof(stream->out) - stream->unsent)
		return;
	queue(stream, message, length);
	/* an end is noticed when the loop calls */
	send_queued(stream);
	want(stream);
}

void server_stream_send_channel(struct server_stream *stream, uint16_t channel, const void *data,
				size_t length, size_t size)
{
	static const uint8_t padding[3];
	uint8_t header[SLUICE_CHANNEL_HEADER];
	const uint8_t *from = data;
	size_t part, padded;

	if (!stream->connected)
		return;
	for (; length; from += part, length -= part) {
		part = length < size ? length : size;
		padded = channel_padded(part);
		if (padded + RESERVED > sizeof(stream->out) - stream->unsent)
			break;
		channel_put_header(header, channel, part);
		queue(stream, header, sizeof(header));
		queue(stream, from, part);
		queue(stream, padding, padded - part - sizeof(header));
	}
	send_queued(stream);
	want(stream);
}
