/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A QUIC connection (RFC 9000) between two peers, over ngtcp2. It uses no sockets and reads no
 * clock: the input is packets and times, the output is packets and deadlines. The session handles
 * the addresses, so QUIC has a single path, which never changes.
 *
 * Datagrams (RFC 9221) may be lost and reordered; streams are reliable, bidirectional and subject
 * to flow control. A packet has at most QUIC_PACKET bytes, the size with which the session has
 * checked the path, or the path MTU that the session has discovered: ngtcp2 detects no black holes.
 *
 * After a call that queues something, quic_flush() sends it. Handlers may call every function here
 * except quic_flush(), quic_receive(), quic_expire(), quic_close() and quic_free().
 */
#ifndef SLUICE_MEET_QUIC_QUIC_H
#define SLUICE_MEET_QUIC_QUIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#define QUIC_PACKET	  1200
#define QUIC_PACKET_MAX	  1472 /* an IPv4 packet of 1500 bytes */
#define QUIC_OVERHEAD	  56   /* space that a packet needs besides a datagram's payload */
#define QUIC_DATAGRAM_MAX (QUIC_PACKET_MAX - QUIC_OVERHEAD)
#define QUIC_QUEUE	  1024	     /* datagrams: 90 ms at 100 Mbit/s */
#define QUIC_QUEUE_NS	  250000000U /* about the delay of a home router's buffer */
#define QUIC_ID_SIZE	  8	     /* size of a connection id, including 2 bytes for the slot */
#define QUIC_STREAMS_MAX  128	     /* streams that a peer may have open */
#define QUIC_BATCH	  54	     /* packets in one call of send() */
#define QUIC_BATCH_BYTES  (QUIC_BATCH * QUIC_PACKET) /* the same in bytes, less than 64 KiB */

struct drops;
struct quic;
struct quic_endpoint;
struct quic_stream;

struct quic_handlers {
	/* Sends packets of @size bytes each, the last of which may be shorter. */
	void (*send)(void *arg, const void *packets, size_t length, size_t size);
	/* The handshake is complete: the other peer has proved that it has the key. */
	void (*ready)(void *arg);
	void (*datagram)(void *arg, const uint8_t *data, size_t length);
	/*
	 * The other peer has opened a stream. Returns the @user of the stream, or NULL to refuse
	 * the stream.
	 */
	void *(*opened)(void *arg, struct quic_stream *stream);
	/* @data counts against the window until quic_stream_consumed(). */
	void (*data)(void *user, const uint8_t *data, size_t length, bool fin);
	/* The stream may have space again. */
	void (*writable)(void *user);
	/* The stream has ended and must not be used any more; @reset: not by fin in both
	 * directions. */
	void (*ended)(void *user, bool reset);
	/* The other peer permits more streams, which it does after streams have ended. */
	void (*permitted)(void *arg);
};

struct quic_settings {
	bool server;
	uint16_t slot;			/* finds the connection in quic_slot() */
	uint8_t first_id[QUIC_ID_SIZE]; /* random destination id of the client's first packets */
	uint8_t psk[32];
	const char *identity; /* of the key: 32 hexadecimal digits */
	uint64_t rtt_ns;      /* RTT measured by checks; 0: unknown */
	const struct quic_handlers *handlers;
	void *arg;
	struct drops *drops; /* counts expired datagrams; must outlive the connection */
};

/* Creates the state that all connections of a process share. Returns 0 or -ENOMEM. */
int quic_endpoint_new(struct quic_endpoint **endpoint);
void quic_endpoint_free(struct quic_endpoint *endpoint);

/*
 * Returns the destination id of a packet: QUIC_ID_SIZE bytes, or NULL for other datagrams. *first:
 * it may be a client's first packet, which has quic_settings.first_id.
 */
const uint8_t *quic_destination(const void *packet, size_t length, bool *first);
/* Returns the slot in the id of a packet that is not a client's first packet. */
uint16_t quic_slot(const uint8_t id[QUIC_ID_SIZE]);

/* Creates the client's side; quic_flush() sends its first packet. Returns 0 or -ENOMEM. */
int quic_connect(struct quic_endpoint *endpoint, const struct quic_settings *settings,
		 uint64_t now_ns, struct quic **quic);
/*
 * Creates the server side for the first packet of a client, which the caller then passes to
 * quic_receive(). Returns 0, -ENOMEM, or -EPROTO if it is not a first packet.
 */
int quic_accept(struct quic_endpoint *endpoint, const struct quic_settings *settings,
		const void *packet, size_t length, uint64_t now_ns, struct quic **quic);
void quic_free(struct quic *quic);

/* Returns true if the packet was authentic and the handshake is complete. */
bool quic_receive(struct quic *quic, const void *packet, size_t length, uint64_t now_ns);
/* Sends all packets that may be sent now. */
void quic_flush(struct quic *quic, uint64_t now_ns);
/* Returns the time at which to call quic_expire(); UINT64_MAX: never. */
uint64_t quic_next_ns(const struct quic *quic);
void quic_expire(struct quic *quic, uint64_t now_ns);
/*
 * Retransmits lost packets at once, after the session has changed its path or resumed after a
 * pause. The probe timer would wait as long as the pause, because of its back-off.
 */
void quic_path_changed(struct quic *quic, uint64_t now_ns);
/* Sends the close of the connection to the other peer, once. */
void quic_close(struct quic *quic, uint64_t now_ns);

bool quic_is_ready(const struct quic *quic);
/* Returns the reason why the connection is over, or NULL. */
const char *quic_end(const struct quic *quic);
uint64_t quic_rtt_ns(const struct quic *quic);

/*
 * Sets the maximum size of packets after the handshake, at least QUIC_PACKET, at most
 * QUIC_PACKET_MAX. After a decrease, quic_path_changed() retransmits lost packets at once.
 */
void quic_set_packet_size(struct quic *quic, size_t size);
/*
 * Returns true once if sent packets are lost or not acknowledged, as on a path that drops large
 * packets.
 */
bool quic_stalls(struct quic *quic);

/*
 * Queues a datagram of two parts. It is dropped if the path does not take it within QUIC_QUEUE_NS,
 * or if the packet size decreases. Returns 0, -EMSGSIZE if it does not fit into a packet now,
 * -ENOBUFS if QUIC_QUEUE datagrams are already queued, or -ENOTCONN.
 */
int quic_datagram(struct quic *quic, const void *head, size_t head_length, const void *data,
		  size_t length, uint64_t now_ns);

/* Opens a stream. Returns NULL if the stream limit of the other peer is reached. */
struct quic_stream *quic_stream_open(struct quic *quic, void *user);
/* Returns the number of a stream, which is the same at both peers. */
uint32_t quic_stream_number(const struct quic_stream *stream);
/* Describes the free space in up to two pieces. Returns their number; 0: none now. */
int quic_stream_space(struct quic_stream *stream, struct iovec piece[2]);
/* Queues the first @length bytes of the free space, which the caller has filled. */
void quic_stream_commit(struct quic_stream *stream, size_t length);
/* Copies and queues bytes. Returns the number of bytes queued. */
size_t quic_stream_write(struct quic_stream *stream, const void *data, size_t length);
/* Ends the direction to the other peer after the queued bytes. */
void quic_stream_finish(struct quic_stream *stream);
void quic_stream_consumed(struct quic_stream *stream, size_t length);
/* Ends both directions at once. No handler is called with its @user any more. */
void quic_stream_reset(struct quic_stream *stream);

#endif
