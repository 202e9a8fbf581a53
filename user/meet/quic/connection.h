/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The state of a connection, private to connection.c, send.c and stream.c. */
#ifndef SLUICE_MEET_QUIC_CONNECTION_H
#define SLUICE_MEET_QUIC_CONNECTION_H

#include "meet/quic/quic.h"
#include "meet/quic/ring.h"
#include "meet/quic/tls.h"

#include <netinet/in.h>
#include <ngtcp2/ngtcp2.h>
#include <sys/queue.h>

struct quic_endpoint {
	gnutls_priority_t priority;
	/* The batch of packets being written, with room for one more packet than a batch. */
	uint8_t batch[QUIC_BATCH_BYTES + QUIC_PACKET_MAX];
	size_t length, first;
	unsigned int packets;
};

struct quic_datagram {
	uint64_t queued_ns;
	uint16_t length;
	uint8_t data[QUIC_DATAGRAM_MAX];
};

struct quic_stream {
	LIST_ENTRY(quic_stream) entry;	 /* in quic->streams */
	TAILQ_ENTRY(quic_stream) queued; /* in quic->writable */
	struct quic *quic;
	void *user; /* NULL: released by the owner */
	int64_t id;
	struct ring ring;
	uint64_t held; /* bytes received and not consumed */
	bool is_queued;
	bool blocked; /* blocked by flow control until the next flush */
	bool finished;
	bool reset; /* a reset is pending */
};

TAILQ_HEAD(quic_stream_queue, quic_stream);
LIST_HEAD(quic_stream_list, quic_stream);

struct quic {
	struct quic_endpoint *endpoint;
	const struct quic_handlers *handlers;
	void *arg;
	struct drops *drops;
	ngtcp2_conn *conn;
	struct tls tls;
	uint64_t ahead_ns; /* offset of the clock of ngtcp2, see quic_path_changed() */
	uint16_t slot;
	size_t packet; /* maximum size of packets after the handshake */
	bool stalls;   /* see quic_stalls() */
	bool ready;
	bool beat; /* the next packet with a datagram has a frame that arms the probe timer */
	bool over;
	char end[160]; /* reason why the connection is over */
	struct quic_stream_list streams;
	struct quic_stream_queue writable; /* streams with data to send */
	struct quic_datagram *datagram;	   /* ring of QUIC_QUEUE entries; NULL: not used yet */
	unsigned int datagram_first, datagrams;
};

/* Ends the connection after an error of ngtcp2, and notifies the other peer. */
void quic_fail(struct quic *quic, int result, uint64_t now_ns);

/* Returns the current maximum size of a packet. */
static inline size_t quic_packet_size(const struct quic *quic)
{
	return quic->ready ? quic->packet : QUIC_PACKET;
}

/* --- send.c */

/* Sends all packets that may be sent now. Returns their number. */
unsigned int quic_write(struct quic *quic, uint64_t now_ns);

/* --- stream.c */

/* The callbacks of ngtcp2 for streams. */
void quic_stream_callbacks(ngtcp2_callbacks *callbacks);
/* Starts a flush: sends pending resets, and retries blocked streams. */
void quic_streams_begin(struct quic *quic);
/*
 * Writes a packet with data of the first stream that is not blocked. Returns its size, an error of
 * ngtcp2, or 0 if nothing more can be sent; *none: no stream has data.
 */
ngtcp2_ssize quic_streams_write(struct quic *quic, uint8_t *packet, uint64_t now_ns, bool *none);
void quic_streams_free(struct quic *quic);

#endif
