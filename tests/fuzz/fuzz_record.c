// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Fuzzes the records of a TCP connection between peers: however a stream is cut into segments, the
 * same messages come out, up to the first error, which ends the connection.
 *
 * The input is the sizes of segments, up to a size 0, and then the stream.
 *
 * with: user/net/sockaddr.c user/base/addr.c
 */
#include "fuzz.h"

#include <sys/socket.h>
#include <sys/types.h>

static ssize_t segment_recv(void *buffer, size_t room);

#define recv(fd, buffer, room, flags) segment_recv(buffer, room)
#include "../../user/meet/tcp/record.c"
#include "../../user/meet/tcp/stream.c"

/* What the connection reads next; nothing more is there until the next call. */
static const uint8_t *segment;
static size_t segment_size;

/* How much of the stream has come out, in whole records. */
static const uint8_t *stream_data;
static size_t framed;

static ssize_t segment_recv(void *buffer, size_t room)
{
	size_t size = segment_size < room ? segment_size : room;

	MUST(room);
	if (!size) {
		errno = EAGAIN;
		return -1;
	}
	memcpy(buffer, segment, size);
	segment += size;
	segment_size -= size;
	return (ssize_t)size;
}

static void on_record(void *arg, const uint8_t *record, size_t size)
{
	MUST(size > RECORD_HEADER && size <= TCP_STREAM_MESSAGE);
	MUST(!memcmp(stream_data + framed, record, size));
	framed += size;
}

/* Not called: there is no loop here. */
struct loop_watch *loop_watch(struct loop *loop, int fd, loop_fn fn, void *arg)
{
	return NULL;
}

int loop_watch_want(struct loop_watch *watch, bool read, bool write)
{
	return -ENOSYS;
}

void loop_watch_free(struct loop *loop, struct loop_watch *watch)
{
}

/* Returns the length of the records at the start of a stream; sets *broken for an error. */
static size_t frame_whole(const uint8_t *data, size_t size, bool *broken)
{
	size_t at = 0;
	ssize_t length;

	while ((length = record_frame(data + at, size - at, TCP_STREAM_MESSAGE)) > 0 &&
	       (size_t)length <= size - at)
		at += (size_t)length;
	*broken = length < 0;
	return at;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct tcp_stream stream;
	const uint8_t *sizes = data, *zero = size ? memchr(data, 0, size) : NULL;
	bool broken, open = true;
	size_t whole, part, at = 0;

	/* a wake-up reads at most READS times: more than that would stay for the next one */
	if (!zero || size - (size_t)(zero + 1 - data) > TCP_STREAM_MESSAGE * (READS - 1))
		return 0;
	stream_data = zero + 1;
	size -= (size_t)(stream_data - data);
	framed = 0;
	stream = (struct tcp_stream){ .frame = record_frame, .received = on_record, .fd = 0 };
	for (; open && at < size; at += part) {
		part = *sizes ? *sizes++ : size - at;
		if (part > size - at)
			part = size - at;
		segment = stream_data + at;
		segment_size = part;
		open = read_messages(&stream);
		MUST(!open || (!segment_size && stream.have < TCP_STREAM_MESSAGE));
	}
	whole = frame_whole(stream_data, open ? size : at, &broken);
	MUST(whole == framed && open == !broken);
	return 0;
}
