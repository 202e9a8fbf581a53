/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Joins a stream to local descriptors: a TCP socket, or the standard input and output. Each
 * direction ends by itself, as in TCP. Neither buffers more than a window: a slow consumer stops
 * the producer at the other end.
 */
#ifndef SLUICE_MEET_QUIC_PIPE_H
#define SLUICE_MEET_QUIC_PIPE_H

#include "base/loop.h"
#include "meet/quic/quic.h"

struct evbuffer;

struct pipe {
	struct loop *loop;
	int in, out;				 /* the same for a socket; -1: closed */
	struct loop_watch *in_watch, *out_watch; /* NULL: the descriptor is always ready */
	struct evbuffer *pending;		 /* from the stream, for @out */
	bool in_ended;				 /* the end of @in was read */
	bool fin;				 /* the stream has ended after what is pending */
	bool out_ended;				 /* @out was told so */
};

/*
 * Takes the descriptors, which pipe_close() closes; fn(arg) is called when one is ready, and then
 * calls pipe_pump(). Returns 0 or -ENOMEM, and then the descriptors are closed.
 */
int pipe_open(struct pipe *pipe, struct loop *loop, int in, int out, loop_fn fn, void *arg);
/* @abort: resets a TCP connection, so that its other end sees that data is missing. */
void pipe_close(struct pipe *pipe, bool abort);

/* Takes what the stream has received. Returns 0 or -ENOMEM. */
int pipe_put(struct pipe *pipe, const uint8_t *data, size_t length, bool fin);
/*
 * Moves in both directions what can be moved now. @stream is NULL once it has ended. Returns 0, 1
 * when both directions have ended, or -errno after an error of a descriptor.
 */
int pipe_pump(struct pipe *pipe, struct quic_stream *stream);

#endif
