/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A TCP connection to a server, for a host that gets no answer by UDP. It carries the same messages
 * as the socket: STUN, and ChannelData of the relay.
 */
#ifndef SLUICE_MEET_QUIC_SERVER_STREAM_H
#define SLUICE_MEET_QUIC_SERVER_STREAM_H

#include "base/loop.h"
#include "net/stun.h"

#define SERVER_STREAM_MESSAGE 1280 /* the longest one */
#define SERVER_STREAM_UNSENT  (64 << 10)

struct server_stream {
	struct loop *loop;
	struct loop_watch *watch;
	void (*received)(void *arg, const uint8_t *message, size_t length);
	loop_fn changed; /* it is connected, or has ended */
	loop_fn flush;	 /* after the messages of a wake-up */
	void *arg;
	int fd; /* -1: none */
	bool connected;
	size_t have, unsent;
	uint8_t in[2 * SERVER_STREAM_MESSAGE];
	uint8_t out[SERVER_STREAM_UNSENT];
};

/* Begins to connect. Returns 0 or -errno. All fields up to ->arg are set, and ->fd is -1. */
int server_stream_open(struct server_stream *stream, const struct stun_endpoint *at);
void server_stream_close(struct server_stream *stream);
/* Queues a message, which is lost if the connection is slower than the caller. */
void server_stream_send(struct server_stream *stream, const void *message, size_t length);
/* Queues datagrams of @size bytes each, the last of which may be shorter, in this channel. */
void server_stream_send_channel(struct server_stream *stream, uint16_t channel, const void *data,
				size_t length, size_t size);

#endif
