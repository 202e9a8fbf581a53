/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Carries services over a QUIC connection: joins its streams and datagrams to local sockets, at
 * both peers. It ends with the connection.
 */
#ifndef SLUICE_MEET_QUIC_CARRIER_H
#define SLUICE_MEET_QUIC_CARRIER_H

#include "base/loop.h"
#include "meet/peer/service.h"
#include "meet/quic/quic.h"
#include "meet/quic/udp_flows.h"

struct carrier;

struct carrier_options {
	struct loop *loop;
	const char *peer; /* for messages */
	/* What this peer exposes; 0: nothing. */
	const struct service *services;
	unsigned int count;
	/* Something was queued by an event of the loop: call quic_flush(). */
	loop_fn flush;
	void *arg;
	/*
	 * The other peer has answered a request: SERVICE_OK, another code, or SERVICE_CODES if the
	 * stream ended before. NULL: not of interest.
	 */
	void (*answered)(void *hooks_arg, unsigned int code);
	/* A connection has ended. NULL: not of interest. */
	loop_fn ended;
	void *hooks_arg;
	struct drops *drops; /* counts datagrams that are dropped */
};

/* @quic: may be created later, before the first request. Returns 0 or -ENOMEM. */
int carrier_new(struct carrier **carrier, const struct carrier_options *options);
void carrier_set_quic(struct carrier *carrier, struct quic *quic);
/* Moves what was received to local sockets, and bytes between them and streams. Call it after
 * quic_receive(), and before quic_flush().
 */
void carrier_update(struct carrier *carrier);
/* Ends all connections. Call it before quic_free(). */
void carrier_free(struct carrier *carrier);

/* For quic_handlers; @user is what carrier_opened() returns. */
void *carrier_opened(struct carrier *carrier, struct quic_stream *stream);
void carrier_datagram(struct carrier *carrier, const uint8_t *data, size_t length);
void carrier_data(void *user, const uint8_t *data, size_t length, bool fin);
void carrier_writable(void *user);
void carrier_ended(void *user, bool reset);

/*
 * Asks for a TCP service, and joins it to descriptors, which are closed in the end. Returns 0;
 * -EAGAIN if no more are possible now, and the descriptors stay open; or -ENOMEM.
 */
int carrier_tcp(struct carrier *carrier, const char *service, int in, int out);
/* Asks for a UDP service, for the datagrams of a socket, which stays the caller's. As above. */
int carrier_udp(struct carrier *carrier, const char *service, int listen_fd);
/* The number of streams in use. */
unsigned int carrier_count(const struct carrier *carrier);

#endif
