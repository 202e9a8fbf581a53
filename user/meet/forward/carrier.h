/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Carries services over a QUIC connection: connects its streams and datagrams to local sockets, at
 * both peers. A carrier ends with its connection.
 */
#ifndef SLUICE_MEET_FORWARD_CARRIER_H
#define SLUICE_MEET_FORWARD_CARRIER_H

#include "meet/forward/carrier_options.h"
#include "meet/quic/quic.h"

struct carrier;

/* carrier_set_quic() may follow later, before the first request. Returns 0 or -ENOMEM. */
int carrier_new(struct carrier **carrier, const struct carrier_options *options);
void carrier_set_quic(struct carrier *carrier, struct quic *quic);
/*
 * Moves received data to local sockets, and local data to streams. Call it after quic_receive() and
 * before quic_flush().
 */
void carrier_update(struct carrier *carrier);
/* Ends all connections. Call it before quic_free(). */
void carrier_free(struct carrier *carrier);

/* Handlers for struct quic_handlers; @user is the return value of carrier_opened(). */
void *carrier_opened(struct carrier *carrier, struct quic_stream *stream);
void carrier_datagram(struct carrier *carrier, const uint8_t *data, size_t length);
void carrier_data(void *user, const uint8_t *data, size_t length, bool fin);
void carrier_writable(void *user);
void carrier_ended(void *user, bool reset);

/*
 * Requests a TCP service and connects it to descriptors, which the carrier closes. Returns 0;
 * -EAGAIN if no stream is available now, with the descriptors still open; or -ENOMEM.
 */
int carrier_tcp(struct carrier *carrier, const char *service, int in, int out);
/*
 * Requests a UDP service for the datagrams of a socket, which the caller still owns. Returns as
 * carrier_tcp().
 */
int carrier_udp(struct carrier *carrier, const char *service, int listen_fd);
/* Requests a member of the pool. Returns as carrier_tcp(). */
int carrier_member(struct carrier *carrier, const struct member_request *request);
/* Ends the stream of an unanswered request; member_answered() is not called. */
void carrier_forget_member(struct carrier *carrier,
			   const uint8_t id[SLUICE_RENDEZVOUS_SESSION_ID_SIZE]);
/* Returns the number of streams in use. */
unsigned int carrier_count(const struct carrier *carrier);

#endif
