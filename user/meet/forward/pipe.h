/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Connects a stream to local descriptors: a TCP socket, or the standard input and output. Each
 * direction ends independently, as in TCP. A direction buffers at most one window, so a slow
 * consumer stops the producer at the other peer.
 */
#ifndef SLUICE_MEET_FORWARD_PIPE_H
#define SLUICE_MEET_FORWARD_PIPE_H

#include "base/loop.h"
#include "meet/quic/quic.h"

struct evbuffer;

struct pipe {
	struct loop *loop;
	int in, out;				 /* equal for a socket; -1: closed */
	struct loop_watch *in_watch, *out_watch; /* NULL: the descriptor is always ready */
	struct evbuffer *pending;		 /* from the stream, for @out */
	bool in_ended;				 /* EOF was read from @in */
	bool fin;				 /* the stream ends after @pending */
	bool out_ended;				 /* @out was shut down */
};

/*
 * Takes ownership of the descriptors. When a descriptor is ready, the loop calls fn(arg), which
 * calls pipe_pump(). Returns 0, or -ENOMEM with the descriptors closed.
 */
int pipe_open(struct pipe *pipe, struct loop *loop, int in, int out, loop_fn fn, void *arg);
/* @abort: resets a TCP connection, so that its remote end can detect the data loss. */
void pipe_close(struct pipe *pipe, bool abort);

/* Adds data received from the stream. Returns 0 or -ENOMEM. */
int pipe_put(struct pipe *pipe, const uint8_t *data, size_t length, bool fin);
/*
 * Moves all available data in both directions. @stream is NULL once it has ended. Returns 0, 1 when
 * both directions have ended, or -errno after an error of a descriptor.
 */
int pipe_pump(struct pipe *pipe, struct quic_stream *stream);

#endif
