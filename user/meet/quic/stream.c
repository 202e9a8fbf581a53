// SPDX-License-Identifier: GPL-2.0-or-later
#include "meet/quic/connection.h"

#include <stdlib.h>

#define RESET_CODE 1

static void enqueue(struct quic_stream *stream)
{
	if (stream->is_queued)
		return;
	TAILQ_INSERT_TAIL(&stream->quic->writable, stream, queued);
	stream->is_queued = true;
}

static void dequeue(struct quic_stream *stream)
{
	if (!stream->is_queued)
		return;
	TAILQ_REMOVE(&stream->quic->writable, stream, queued);
	stream->is_queued = false;
}

static struct quic_stream *stream_new(struct quic *quic, int64_t id, void *user)
{
	struct quic_stream *stream = calloc(1, sizeof(*stream));

	if (!stream)
		return NULL;
	*stream = (struct quic_stream){ .quic = quic, .id = id, .user = user };
	LIST_INSERT_HEAD(&quic->streams, stream, entry);
	return stream;
}

static void stream_free(struct quic_stream *stream)
{
	dequeue(stream);
	LIST_REMOVE(stream, entry);
	ring_free(&stream->ring);
	free(stream);
}

void quic_streams_free(struct quic *quic)
{
	while (!LIST_EMPTY(&quic->streams))
		stream_free(LIST_FIRST(&quic->streams));
}

/* --- functions of the owner */

struct quic_stream *quic_stream_open(struct quic *quic, void *user)
{
	struct quic_stream *stream;

	if (!quic->ready || quic->over)
		return NULL;
	stream = stream_new(quic, -1, user);
	if (stream && ngtcp2_conn_open_bidi_stream(quic->conn, &stream->id, stream)) {
		stream_free(stream);
		return NULL;
	}
	return stream;
}

uint32_t quic_stream_number(const struct quic_stream *stream)
{
	return (uint32_t)stream->id;
}

int quic_stream_space(struct quic_stream *stream, struct iovec piece[2])
{
	return stream->finished || stream->reset ? 0 : ring_space(&stream->ring, piece);
}

void quic_stream_commit(struct quic_stream *stream, size_t length)
{
	stream->ring.end += length;
	if (length)
		enqueue(stream);
}

size_t quic_stream_write(struct quic_stream *stream, const void *data, size_t length)
{
	size_t done = stream->finished || stream->reset ? 0 : ring_put(&stream->ring, data, length);

	if (done)
		enqueue(stream);
	return done;
}

void quic_stream_finish(struct quic_stream *stream)
{
	stream->finished = true;
	if (!stream->reset)
		enqueue(stream);
}

void quic_stream_consumed(struct quic_stream *stream, size_t length)
{
	stream->held -= length;
	ngtcp2_conn_extend_max_stream_offset(stream->quic->conn, stream->id, length);
	ngtcp2_conn_extend_max_offset(stream->quic->conn, length);
}

void quic_stream_reset(struct quic_stream *stream)
{
	/* return this share of the connection's window to the other streams */
	ngtcp2_conn_extend_max_offset(stream->quic->conn, stream->held);
	stream->held = 0;
	stream->user = NULL;
	stream->reset = true;
	enqueue(stream);
}

/* --- callbacks */

static int on_open(ngtcp2_conn *conn, int64_t id, void *arg)
{
	struct quic *quic = arg;
	struct quic_stream *stream;

	/*
	 * The limit of unidirectional streams grows only to arm the probe timer, see
	 * write_datagram().
	 */
	if (!ngtcp2_is_bidi_stream(id))
		return NGTCP2_ERR_CALLBACK_FAILURE;
	stream = stream_new(quic, id, NULL);
	if (!stream)
		return NGTCP2_ERR_CALLBACK_FAILURE;
	ngtcp2_conn_set_stream_user_data(conn, id, stream);
	stream->user = quic->handlers->opened(quic->arg, stream);
	if (!stream->user)
		quic_stream_reset(stream);
	return 0;
}

static int on_data(ngtcp2_conn *conn, uint32_t flags, int64_t id, uint64_t offset,
		   const uint8_t *data, size_t length, void *arg, void *stream_arg)
{
	struct quic_stream *stream = stream_arg;

	if (!stream)
		return 0;
	if (!stream->user) {
		ngtcp2_conn_extend_max_offset(conn, length);
		return 0;
	}
	stream->held += length;
	stream->quic->handlers->data(stream->user, data, length,
				     flags & NGTCP2_STREAM_DATA_FLAG_FIN);
	return 0;
}

static int on_acknowledged(ngtcp2_conn *conn, int64_t id, uint64_t offset, uint64_t length,
			   void *arg, void *stream_arg)
{
	struct quic_stream *stream = stream_arg;

	if (!stream)
		return 0;
	ring_acknowledge(&stream->ring, offset + length);
	if (stream->user && !stream->finished)
		stream->quic->handlers->writable(stream->user);
	return 0;
}

/* Handles an abort of one direction by the other peer, which ends both directions, as in TCP. */
static void abort_stream(struct quic_stream *stream)
{
	void *user = stream ? stream->user : NULL;

	if (!user)
		return;
	quic_stream_reset(stream);
	stream->quic->handlers->ended(user, true);
}

static int on_reset(ngtcp2_conn *conn, int64_t id, uint64_t size, uint64_t code, void *arg,
		    void *stream_arg)
{
	abort_stream(stream_arg);
	return 0;
}

static int on_stop(ngtcp2_conn *conn, int64_t id, uint64_t code, void *arg, void *stream_arg)
{
	abort_stream(stream_arg);
	return 0;
}

static int on_close(ngtcp2_conn *conn, uint32_t flags, int64_t id, uint64_t code, void *arg,
		    void *stream_arg)
{
	struct quic_stream *stream = stream_arg;

	if (!ngtcp2_conn_is_local_stream(conn, id))
		ngtcp2_conn_extend_max_streams_bidi(conn, 1);
	if (!stream)
		return 0;
	ngtcp2_conn_extend_max_offset(conn, stream->held);
	if (stream->user)
		stream->quic->handlers->ended(stream->user,
					      flags & NGTCP2_STREAM_CLOSE_FLAG_APP_ERROR_CODE_SET);
	stream_free(stream);
	return 0;
}

void quic_stream_callbacks(ngtcp2_callbacks *callbacks)
{
	callbacks->stream_open = on_open;
	callbacks->recv_stream_data = on_data;
	callbacks->acked_stream_data_offset = on_acknowledged;
	callbacks->stream_reset = on_reset;
	callbacks->stream_stop_sending = on_stop;
	callbacks->stream_close = on_close;
}

/* --- sending */

void quic_streams_begin(struct quic *quic)
{
	struct quic_stream *stream, *next;

	for (stream = TAILQ_FIRST(&quic->writable); stream; stream = next) {
		next = TAILQ_NEXT(stream, queued);
		stream->blocked = false;
		if (stream->reset) {
			dequeue(stream);
			ngtcp2_conn_shutdown_stream(quic->conn, stream->id, RESET_CODE);
		}
	}
}

/* Requeues a stream that has more data at the end: streams take turns, one packet each. */
static void written(struct quic_stream *stream, size_t length)
{
	stream->ring.sent += length;
	dequeue(stream);
	if (stream->ring.sent < stream->ring.end)
		enqueue(stream);
}

ngtcp2_ssize quic_streams_write(struct quic *quic, uint8_t *packet, uint64_t now_ns, bool *none)
{
	struct quic_stream *stream, *next;
	ngtcp2_ssize size, accepted;
	struct iovec piece[2];
	ngtcp2_vec part[2];
	int i, count;

	for (stream = TAILQ_FIRST(&quic->writable); stream; stream = next) {
		next = TAILQ_NEXT(stream, queued);
		if (stream->blocked)
			continue;
		count = ring_unsent(&stream->ring, piece);
		for (i = 0; i < count; i++)
			part[i] = (ngtcp2_vec){ piece[i].iov_base, piece[i].iov_len };
		accepted = -1;
		size = ngtcp2_conn_writev_stream(
			quic->conn, NULL, NULL, packet, quic_packet_size(quic), &accepted,
			stream->finished ? NGTCP2_WRITE_STREAM_FLAG_FIN : 0, stream->id, part,
			(size_t)count, now_ns);
		if (size == NGTCP2_ERR_STREAM_DATA_BLOCKED) {
			stream->blocked = true;
		} else if (size == NGTCP2_ERR_STREAM_SHUT_WR ||
			   size == NGTCP2_ERR_STREAM_NOT_FOUND) {
			dequeue(stream);
		} else {
			if (size >= 0 && accepted >= 0)
				written(stream, (size_t)accepted);
			return size;
		}
	}
	*none = true;
	return 0;
}
