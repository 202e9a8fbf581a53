// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Fuzzes the framing of TCP connections. For any segmentation of a stream, the server receives all
 * messages before the first error. The error closes the connection.
 *
 * The input is a list of segment sizes that ends with 0, followed by the stream.
 *
 * with: user/net/prefix.c user/meet/channel.c
 * with: user/base/timer_wheel.c user/net/stun*.c
 * with: user/base/err.c user/base/log.c user/base/text.c
 */
#include "fuzz.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

static ssize_t segment_recv(void *buffer, size_t room);

static void no_close(int fd)
{
}

#define recv(fd, buffer, room, flags) segment_recv(buffer, room)
#define epoll_ctl(...)		      0
#define setsockopt(...)		      0
#define close(fd)		      no_close(fd)
#include "../../user/meet/rendezvous/tcp.c"
#undef close

#include <stdbool.h>

/* The next segment that the connection reads. */
static const uint8_t *segment;
static size_t segment_size;

/* Number of bytes that the server received as complete messages. */
static const uint8_t *stream_data;
static size_t framed;

static ssize_t segment_recv(void *buffer, size_t room)
{
	MUST(segment_size <= room);
	memcpy(buffer, segment, segment_size);
	return (ssize_t)segment_size;
}

void server_receive(struct server *server, const struct path *path, const void *message,
		    size_t length, uint64_t now_ns)
{
	MUST(length <= MESSAGE_MAX && !memcmp(stream_data + framed, message, length));
	framed += length;
}

void server_stream_closed(struct server *server, struct stream *stream)
{
}

/* Never called: this target has no event loop. */
int loop_read(struct loop *loop, int fd, loop_fn fn, void *arg)
{
	return -ENOSYS;
}

void loop_remove(struct loop *loop, int fd)
{
}

struct loop_timer *loop_timer(struct loop *loop, bool repeat, loop_fn fn, void *arg)
{
	return NULL;
}

int loop_timer_start(struct loop_timer *timer, uint64_t us)
{
	return -ENOSYS;
}

void loop_timer_free(struct loop *loop, struct loop_timer *timer)
{
}

static uint64_t no_time(void *arg)
{
	return SECOND_NS;
}

/* Returns the total length of the messages at the start of a stream. Sets *broken on an error. */
static size_t frame_whole(const uint8_t *data, size_t size, bool *broken)
{
	size_t at = 0;
	ssize_t length;

	while ((length = frame(data + at, size - at)) > 0 && (size_t)length <= size - at)
		at += (size_t)length;
	*broken = length < 0;
	return at;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct tcp tcp;
	const uint8_t *sizes = data, *zero = size ? memchr(data, 0, size) : NULL;
	const struct path path = { .client = { .port_be = 1 } };
	bool broken, open = true;
	size_t whole, at = 0;

	if (!zero || size - (size_t)(zero + 1 - data) > READ_MAX)
		return 0;
	stream_data = zero + 1;
	size -= (size_t)(stream_data - data);
	framed = 0;
	tcp.hooks = (struct transport_hooks){ .now_ns = no_time };
	timer_wheel_init(&tcp.wheel, SECOND_NS, SECOND_NS);
	MUST(!connection_open(&tcp, NULL, 0, &path));
	for (; open && at < size; at += segment_size) {
		segment = stream_data + at;
		segment_size = *sizes ? *sizes++ : size - at;
		if (segment_size > size - at)
			segment_size = size - at;
		open = connection_read(&tcp, tcp.connections, SECOND_NS);
		MUST(!open || tcp.connections->have < MESSAGE_MAX);
	}
	whole = frame_whole(stream_data, open ? size : at, &broken);
	MUST(whole == framed && open == !broken);
	connection_close(&tcp, tcp.connections);
	MUST(!tcp.count && !tcp.prefixes.by_prefix);
	return 0;
}
