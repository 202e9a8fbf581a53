/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The state of the server, and of the request at hand: for the files of the server alone. */
#ifndef SLUICE_MEET_RENDEZVOUS_REQUEST_H
#define SLUICE_MEET_RENDEZVOUS_REQUEST_H

#include "meet/rendezvous/budget.h"
#include "meet/rendezvous/config.h"
#include "meet/rendezvous/counters.h"
#include "meet/rendezvous/relay.h"
#include "meet/rendezvous/session.h"

struct server {
	struct server_config config;
	struct peers peers;
	struct store *store;
	struct sessions sessions;
	struct relays relays;
	struct budget *budget;
	uint8_t nonce_key[KEY_SIZE];
	uint8_t public_key[KEY_SIZE];
	server_send_fn send;
	void *arg;
	uint64_t counter[RENDEZVOUS_COUNTERS_MAX];
};

struct request {
	struct server *server;
	const struct path *path;
	const struct stun_message *message;
	uint64_t now_ns;
	/* once authenticated */
	struct peer *peer;
	const uint8_t *key;
	uint32_t nonce_age_ms;
};

/* A message in the making. */
struct reply {
	struct stun_builder builder;
	uint8_t message[MESSAGE_MAX];
};

static inline void count(struct server *server, enum rendezvous_counter counter)
{
	server->counter[counter]++;
}

/* Is the next refresh refused, for the peer to prove its address again? A connection proves it. */
static inline bool registration_is_old(const struct registration *registration, uint64_t now_ns)
{
	return !registration->path.stream &&
	       now_ns - registration->since_ns > REGISTRATION_PROOF_S * 1000000000ULL;
}

void reply_begin(struct reply *reply, const struct request *request, enum sluice_stun_class class);
/*
 * Protects and sends a response along @path. The answer to an unauthenticated datagram draws from
 * the budget of its prefix. Returns false if it was not sent for that.
 */
bool reply_send(struct reply *reply, const struct request *request, const struct path *path);
/* Sends an error response without further attributes, and counts it. */
void reply_error(const struct request *request, unsigned int code, enum rendezvous_counter counter);
/* Sends 420 if the request has such attributes besides @known. Returns true if it did. */
bool reply_unknown(const struct request *request, const uint16_t *known, size_t known_count);
/* Protects and sends a message that is no response, to a peer. */
void reply_to_peer(struct reply *reply, struct server *server,
		   const struct registration *registration);

/* The methods; except for Binding and the refresh, the request is authenticated. */
void binding_request(const struct request *request);
void refresh_request(const struct request *request);
void register_request(const struct request *request);
void unregister_request(const struct request *request);
void connect_request(const struct request *request);
void report_request(const struct request *request);
/* Binds a channel of the relay, or refreshes its binding. */
void bind_request(const struct request *request);
/* A response to the introduction that the server has sent. */
void introduce_response(const struct request *response);
/* Passes a ChannelData message on. An unbound source gets no answer. */
void relay_receive(struct server *server, const struct path *path, const void *message,
		   size_t length, uint64_t now_ns);

#endif
