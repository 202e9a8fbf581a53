// SPDX-License-Identifier: GPL-2.0-or-later
/* Writes and sends the packets of a connection. */
#include "meet/quic/connection.h"
#include "meet/quic/drops.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static size_t datagram_max(const struct quic *quic)
{
	return quic_packet_size(quic) - QUIC_OVERHEAD;
}

int quic_datagram(struct quic *quic, const void *head, size_t head_length, const void *data,
		  size_t length, uint64_t now_ns)
{
	struct quic_datagram *slot;

	if (!quic_is_ready(quic))
		return -ENOTCONN;
	if (head_length + length > datagram_max(quic))
		return -EMSGSIZE;
	if (!quic->datagram)
		quic->datagram = malloc(QUIC_QUEUE * sizeof(*quic->datagram));
	if (!quic->datagram || quic->datagrams == QUIC_QUEUE)
		return -ENOBUFS;
	/* restart at the first page, so that a short queue uses little memory and cache */
	if (!quic->datagrams)
		quic->datagram_first = 0;
	slot = &quic->datagram[(quic->datagram_first + quic->datagrams++) % QUIC_QUEUE];
	slot->queued_ns = now_ns;
	memcpy(slot->data, head, head_length);
	memcpy(slot->data + head_length, data, length);
	slot->length = (uint16_t)(head_length + length);
	return 0;
}

static void datagram_done(struct quic *quic)
{
	quic->datagram_first = (quic->datagram_first + 1) % QUIC_QUEUE;
	quic->datagrams--;
}

static bool is_useless(const struct quic *quic, uint64_t now_ns)
{
	const struct quic_datagram *first = &quic->datagram[quic->datagram_first];

	return first->queued_ns + QUIC_QUEUE_NS < now_ns || first->length > datagram_max(quic);
}

/*
 * Returns true if a datagram is queued. Drops datagrams that are late, or that no longer fit into a
 * packet: with one of these, ngtcp2 would write packets without the datagram until the congestion
 * window is full.
 */
static bool has_datagram(struct quic *quic, uint64_t now_ns)
{
	while (quic->datagrams && is_useless(quic, now_ns)) {
		datagram_done(quic);
		if (quic->drops)
			quic->drops->count[DROP_QUEUE]++;
	}
	return quic->datagrams;
}

/*
 * Writes a packet with the first datagram of the queue. ngtcp2 before 0.14 does not arm the probe
 * timer for packets with only datagrams: after the loss of a whole window, it would never send
 * again. So each packet gets an additional frame, which raises the limit of unidirectional streams.
 */
static ngtcp2_ssize write_datagram(struct quic *quic, uint8_t *packet, uint64_t now_ns)
{
	struct quic_datagram *datagram = &quic->datagram[quic->datagram_first];
	const ngtcp2_vec part = { datagram->data, datagram->length };
	ngtcp2_ssize size;
	int accepted = 0;

	if (!quic->beat)
		ngtcp2_conn_extend_max_streams_uni(quic->conn, 1);
	quic->beat = true;
	size = ngtcp2_conn_writev_datagram(quic->conn, NULL, NULL, packet, quic_packet_size(quic),
					   &accepted, 0, 0, &part, 1, now_ns);
	if (size > 0)
		quic->beat = false;
	if (size > 0 && accepted)
		datagram_done(quic);
	return size;
}

static void batch_send(struct quic *quic)
{
	struct quic_endpoint *out = quic->endpoint;

	if (out->packets)
		quic->handlers->send(quic->arg, out->batch, out->length, out->first);
	out->length = 0;
	out->packets = 0;
}

/*
 * Adds the packet, written after the batch, to the batch. All packets except the last have the same
 * size.
 */
static void batch_add(struct quic *quic, size_t size)
{
	struct quic_endpoint *out = quic->endpoint;
	const uint8_t *packet = out->batch + out->length;

	if (out->packets && size > out->first) {
		batch_send(quic);
		memmove(out->batch, packet, size);
	}
	if (!out->packets)
		out->first = size;
	out->length += size;
	out->packets++;
	if (out->packets == QUIC_BATCH || size < out->first ||
	    out->length + size > QUIC_BATCH_BYTES)
		batch_send(quic);
}

struct turns {
	bool datagram; /* the next packet carries a datagram */
	bool blocked;  /* datagrams are blocked */
};

/*
 * Writes the next packet. Datagrams and streams take turns; without data, only acknowledgements and
 * probes are written. Returns its size, an error of ngtcp2, or 0 if nothing more can be sent.
 */
static ngtcp2_ssize write_next(struct quic *quic, struct turns *turns, uint8_t *packet,
			       uint64_t now_ns)
{
	ngtcp2_ssize size;
	bool none = false;
	int i;

	for (i = 0; i < 2 && quic->ready; i++) {
		turns->datagram = !turns->datagram;
		if (!turns->datagram) {
			size = quic_streams_write(quic, packet, now_ns, &none);
			if (!none)
				return size;
		} else if (!turns->blocked && has_datagram(quic, now_ns - quic->ahead_ns)) {
			size = write_datagram(quic, packet, now_ns);
			if (size)
				return size;
			turns->blocked = true;
		}
	}
	return ngtcp2_conn_write_pkt(quic->conn, NULL, NULL, packet, quic_packet_size(quic),
				     now_ns);
}

unsigned int quic_write(struct quic *quic, uint64_t now_ns)
{
	struct quic_endpoint *out = quic->endpoint;
	struct turns turns = { false };
	unsigned int packets = 0;
	ngtcp2_ssize size;

	if (quic->over)
		return 0;
	quic_streams_begin(quic);
	while ((size = write_next(quic, &turns, out->batch + out->length,
				  now_ns + quic->ahead_ns)) > 0) {
		batch_add(quic, (size_t)size);
		packets++;
	}
	batch_send(quic);
	if (size < 0)
		quic_fail(quic, (int)size, now_ns);
	return packets;
}

void quic_flush(struct quic *quic, uint64_t now_ns)
{
	quic_write(quic, now_ns);
}
