/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A TCP connection that carries messages: to a server, or to another peer. Like a UDP socket, it
 * drops a message that finds no room: what waits in a queue is late.
 */
#ifndef SLUICE_MEET_TCP_STREAM_H
#define SLUICE_MEET_TCP_STREAM_H

#include "base/loop.h"
#include "net/stun.h"

#define TCP_STREAM_MESSAGE 1280 /* the longest one, with its framing */
#define TCP_STREAM_UNSENT  (64 << 10)
/* What bulk data leaves free in the queue, for requests and checks. */
#define TCP_STREAM_RESERVED (8 << 10)

struct tcp_stream {
	struct loop *loop;
	struct loop_watch *watch;
	/* Returns the size of the message at the start of some bytes, as stun_frame() does. */
	ssize_t (*frame)(const uint8_t *data, size_t have, size_t max);
	void (*received)(void *arg, const uint8_t *message, size_t length);
	loop_fn changed; /* it is connected, or has ended */
	loop_fn flush;	 /* after the messages of a wake-up; may free the stream */
	void *arg;
	int fd; /* -1: none */
	bool connected;
	size_t have, unsent;
	uint8_t in[2 * TCP_STREAM_MESSAGE];
	uint8_t out[TCP_STREAM_UNSENT];
};

/*
 * Returns a socket for connections from a port, or a listener on it: many sockets share the port
 * (SO_REUSEADDR, SO_REUSEPORT), so that a NAT maps it once. @port_be 0: some port that no other
 * socket has. Returns -errno on failure.
 */
int tcp_stream_socket(sa_family_t family, in_port_t port_be);

/*
 * Begins to connect from a port; 0: any. Returns 0 or -errno. All fields up to ->arg except ->watch
 * are set, and ->fd is -1.
 */
int tcp_stream_connect(struct tcp_stream *stream, in_port_t port_be,
		       const struct stun_endpoint *at);
/* Takes an accepted connection, whose descriptor it closes in any case. Returns 0 or -ENOMEM. */
int tcp_stream_adopt(struct tcp_stream *stream, int fd);
/*
 * Closes the connection. @reset: by a reset segment, which loses what is not sent yet, and leaves
 * no TIME_WAIT state, which would block the next connection between the same ports.
 */
void tcp_stream_close(struct tcp_stream *stream, bool reset);

/* Is there room for so many bytes, or can it be made? False unless it is connected. */
bool tcp_stream_has_room(struct tcp_stream *stream, size_t length);
/* Queues bytes, for which there is room. */
void tcp_stream_queue(struct tcp_stream *stream, const void *data, size_t length);
/* Sends what is queued, as far as possible now. */
void tcp_stream_push(struct tcp_stream *stream);

#endif
