/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A UDP service between two peers. At the listening peer, each source of datagrams is a flow with a
 * number. At the exposing peer, each flow has its own socket, so the service sees a separate source
 * for each flow. An idle flow expires, and a new flow replaces the longest idle flow if the table
 * is full.
 *
 * Each datagram is sent as a QUIC datagram, after the stream number of the service and the flow
 * number. A datagram that does not fit is sent in the stream, after the flow number and its length.
 */
#ifndef SLUICE_MEET_FORWARD_UDP_FLOWS_H
#define SLUICE_MEET_FORWARD_UDP_FLOWS_H

#include "base/loop.h"
#include "meet/quic/quic.h"
#include "net/stun.h"

#define UDP_FLOWS_MAX	  512
#define UDP_FLOWS_IDLE_NS 120000000000ULL /* RFC 4787, REQ-5 */
#define UDP_FLOWS_HEADER  6

struct udp_flows;

struct udp_flows_options {
	struct loop *loop;
	struct quic *quic;
	struct quic_stream *stream;
	const char *peer, *service; /* for messages */
	/* The listening socket, which the caller owns; -1: this peer exposes @at. */
	int listen_fd;
	struct stun_endpoint at;
	/* Called when a loop event has queued data: call quic_flush(). */
	loop_fn flush;
	void *arg;
	struct drops *drops; /* counts dropped datagrams */
};

/* Returns 0 or -ENOMEM. */
int udp_flows_new(struct udp_flows **flows, const struct udp_flows_options *options);
void udp_flows_free(struct udp_flows *flows);

/* Reads the stream number of a QUIC datagram. Returns false if the datagram is too short. */
bool udp_flows_stream_of(const uint8_t *data, size_t length, uint32_t *stream);
/* Adds a QUIC datagram of this stream to the batch of its flow, which udp_flows_deliver() sends. */
void udp_flows_datagram(struct udp_flows *flows, const uint8_t *data, size_t length);
/*
 * Parses bytes of the stream. Returns 0, or -EPROTO or -ENOMEM, and the caller must reset the
 * stream.
 */
int udp_flows_data(struct udp_flows *flows, const uint8_t *data, size_t length);
/* Sends the batch to the local program. Call it after a batch of QUIC packets. */
void udp_flows_deliver(struct udp_flows *flows);

#endif
