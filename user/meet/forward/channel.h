/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The state of a carrier and of its streams. */
#ifndef SLUICE_MEET_FORWARD_CHANNEL_H
#define SLUICE_MEET_FORWARD_CHANNEL_H

#include "meet/forward/carrier_options.h"
#include "meet/forward/pipe.h"
#include "meet/forward/udp_flows.h"

#include <sys/queue.h>

struct carrier;

enum channel_state {
	CHANNEL_REQUESTED,  /* opened by the other peer; the request is not complete */
	CHANNEL_ASKED,	    /* this peer has sent a request */
	CHANNEL_CONNECTING, /* to the exposed TCP service */
	CHANNEL_OPEN,
	CHANNEL_ANSWERED, /* the whole answer was sent; further bytes are dropped */
};

/* A stream and its local socket. */
struct channel {
	LIST_ENTRY(channel) entry;
	TAILQ_ENTRY(channel) waiting; /* in carrier->waiting */
	bool waits;		      /* for carrier_update() to move its bytes */
	struct carrier *carrier;
	struct quic_stream *stream; /* NULL: it has ended */
	enum channel_state state;
	enum service_kind kind;
	char service[PEER_NAME_MAX + 1];
	uint8_t request[SERVICE_REQUEST_MAX]; /* or the answer to a request for a member */
	size_t have;
	uint8_t member[SLUICE_RENDEZVOUS_SESSION_ID_SIZE]; /* session id of the requested member */
	struct pipe pipe;				   /* of TCP */
	bool has_pipe;
	struct udp_flows *udp;
	int listen_fd; /* UDP socket of the requesting peer */
};

LIST_HEAD(channel_list, channel);
TAILQ_HEAD(channel_queue, channel);

struct carrier {
	struct carrier_options options;
	struct quic *quic;
	struct channel_list channels;
	struct channel_queue waiting;
	unsigned int count;
	uint64_t log_full_ns; /* when the budget of log lines is full again */
	unsigned int unlogged;
};

/* --- carrier.c */

struct channel *channel_new(struct carrier *carrier, struct quic_stream *stream);
/* Frees a channel without a stream and a socket. The hook ended() is not called. */
void channel_discard(struct channel *channel);
/* @abort: reset, because data may have been lost. */
void channel_free(struct channel *channel, bool abort);
/* Logs that a request has failed. The other peer can make any number of requests. */
void channel_log_failure(const struct channel *channel, const char *message, const char *reason);
/* Moves the bytes of a TCP service, or delivers datagrams. May free the channel. */
void channel_pump(struct channel *channel);
/* Called when the local socket of a channel is ready. */
void channel_ready(void *channel);
/* Starts to carry datagrams to this address; port 0: to the programs of listen_fd. */
int channel_open_udp(struct channel *channel, const struct stun_endpoint *at);
/* Returns true if the maximum number of channels of this kind exists. */
bool channel_is_limit(const struct carrier *carrier, enum service_kind kind);

/* --- expose.c: the peer that was asked */

/*
 * Consumes the bytes of a request. Returns the number of bytes consumed, or -EPROTO for an invalid
 * request.
 */
int channel_take_request(struct channel *channel, const uint8_t *data, size_t length);
/* Handles the result of the connect to the exposed service. */
void channel_connected(struct channel *channel);

/* --- request.c: the peer that asks */

/*
 * Consumes the bytes of an answer. Returns the number of bytes consumed, or -errno to end the
 * channel.
 */
int channel_take_answer(struct channel *channel, const uint8_t *data, size_t length);
/* Handles the end of a stream without an answer. */
void channel_unanswered(const struct channel *channel);

#endif
