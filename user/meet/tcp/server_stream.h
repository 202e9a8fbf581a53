/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A TCP connection to a server, for a host that gets no answer by UDP. It carries the same messages
 * as the UDP socket: STUN, and ChannelData of the relay.
 */
#ifndef SLUICE_MEET_TCP_SERVER_STREAM_H
#define SLUICE_MEET_TCP_SERVER_STREAM_H

#include "meet/tcp/stream.h"

/* For tcp_stream.frame. */
ssize_t server_stream_frame(const uint8_t *data, size_t have, size_t max);
/* Queues a message, which is dropped if the send queue is full. */
void server_stream_send(struct tcp_stream *stream, const void *message, size_t length);
/*
 * Queues datagrams of @size bytes each, the last of which may be shorter, as ChannelData of this
 * channel.
 */
void server_stream_send_channel(struct tcp_stream *stream, uint16_t channel, const void *data,
				size_t length, size_t size);

#endif
