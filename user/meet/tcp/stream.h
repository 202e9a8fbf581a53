/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A TCP connection that carries messages: to a server, or to another peer. Like a UDP socket, it
 * drops a message if the send queue is full, because queueing adds delay.
 */
#ifndef SLUICE_MEET_TCP_STREAM_H
#define SLUICE_MEET_TCP_STREAM_H

#include "base/loop.h"
#include "net/stun.h"

#define TCP_STREAM_MESSAGE 1280 /* maximum message size, with framing */
#define TCP_STREAM_UNSENT  (64 << 10)
/* Space in the queue that bulk data must leave free for requests and checks. */
#define TCP_STREAM_RESERVED (8 << 10)

struct tcp_stream {
	struct loop *loop;
	struct loop_watch *watch;
	/* Returns the size of the first message in a buffer, as stun_frame() does. */
	ssize_t (*frame)(const uint8_t *data, size_t have, size_t max);
	void (*received)(void *arg, const uint8_t *message, size_t length);
	loop_fn changed; /* called when the stream is connected, or has ended */
	loop_fn flush;	 /* called after the messages of a wake-up; may free the stream */
	void *arg;
	int fd; /* -1: none */
	bool connected;
	size_t have, unsent;
	uint8_t in[2 * TCP_STREAM_MESSAGE];
	uint8_t out[TCP_STREAM_UNSENT];
};

/*
 * Returns a socket bound to a port, to connect or to listen. Several sockets share the port
 * (SO_REUSEADDR, SO_REUSEPORT), so that a NAT creates only one mapping. @port_be 0: a port that no
 * other socket uses. Returns -errno on failure.
 */
int tcp_stream_socket(sa_family_t family, in_port_t port_be);

/*
 * Starts to connect from a port; 0: any port. The caller has set all fields up to ->arg except
 * ->watch, and ->fd to -1. Returns 0 or -errno.
 */
int tcp_stream_connect(struct tcp_stream *stream, in_port_t port_be,
		       const struct stun_endpoint *at);
/* Takes ownership of an accepted connection. Returns 0, or -ENOMEM with the descriptor closed. */
int tcp_stream_adopt(struct tcp_stream *stream, int fd);
/*
 * Closes the connection. @reset: sends an RST, which discards unsent data and avoids the TIME_WAIT
 * state, which would block the next connection between the same ports.
 */
void tcp_stream_close(struct tcp_stream *stream, bool reset);

/*
 * Returns true if the queue has space for @length bytes, after sending if necessary. Returns false
 * if the stream is not connected.
 */
bool tcp_stream_has_room(struct tcp_stream *stream, size_t length);
/* Queues bytes; tcp_stream_has_room() must have returned true. */
void tcp_stream_queue(struct tcp_stream *stream, const void *data, size_t length);
/* Sends as many queued bytes as possible. */
void tcp_stream_push(struct tcp_stream *stream);

#endif
