/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A UDP service between two peers. At the peer that listens, each source of datagrams is a flow
 * with a number. At the peer that exposes the service, each flow has a socket of its own, so that
 * the service sees one source for each. A flow that is idle ends, and the longest idle one makes
 * room for a new one.
 *
 * A datagram is preceded by the number of the service's stream and of the flow. One that does not
 * fit a QUIC datagram travels in the stream, behind the flow's number and its length.
 */
#ifndef SLUICE_MEET_QUIC_UDP_FLOWS_H
#define SLUICE_MEET_QUIC_UDP_FLOWS_H

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
	/* The socket that listens, which stays the caller's; -1: this peer exposes @at. */
	int listen_fd;
	struct stun_endpoint at;
	/* Something was queued by an event of the loop: call quic_flush(). */
	loop_fn flush;
	void *arg;
	struct drops *drops; /* counts datagrams that are dropped */
};

/* Returns 0 or -ENOMEM. */
int udp_flows_new(struct udp_flows **flows, const struct udp_flows_options *options);
void udp_flows_free(struct udp_flows *flows);

/* Reads the stream's number in a QUIC datagram. Returns false if it has none. */
bool udp_flows_stream_of(const uint8_t *data, size_t length, uint32_t *stream);
/*
 * Takes a QUIC datagram with this stream's number. It waits for others of its flow, until
 * udp_flows_deliver().
 */
void udp_flows_datagram(struct udp_flows *flows, const uint8_t *data, size_t length);
/* Takes bytes of the stream. Returns 0, or -EPROTO or -ENOMEM: reset it. */
int udp_flows_data(struct udp_flows *flows, const uint8_t *data, size_t length);
/* Sends what waits to the local program, after a batch of QUIC packets. */
void udp_flows_deliver(struct udp_flows *flows);

#endif
