/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The state of the server and of the current request. Private to the server's files. */
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

/* A message under construction. */
struct reply {
	struct stun_builder builder;
	uint8_t message[MESSAGE_MAX];
};

static inline void count(struct server *server, enum rendezvous_counter counter)
{
	server->counter[counter]++;
}

/*
 * Returns true if the next refresh must be refused, so that the peer proves its address again. A
 * connection proves it.
 */
static inline bool registration_is_old(const struct registration *registration, uint64_t now_ns)
{
	return !registration->path.stream &&
	       now_ns - registration->since_ns > REGISTRATION_PROOF_S * 1000000000ULL;
}

void reply_begin(struct reply *reply, const struct request *request, enum sluice_stun_class class);
/*
 * Protects and sends a response along @path. The answer to an unauthenticated datagram draws from
 * the budget of its prefix. Returns false if the budget does not allow it.
 */
bool reply_send(struct reply *reply, const struct request *request, const struct path *path);
/* Sends an error response without further attributes, and counts it. */
void reply_error(const struct request *request, unsigned int code, enum rendezvous_counter counter);
/*
 * Sends error 420 and returns true if the request has comprehension-required attributes other than
 * @known.
 */
bool reply_unknown(const struct request *request, const uint16_t *known, size_t known_count);
/* Protects and sends a request or indication to a peer. */
void reply_to_peer(struct reply *reply, struct server *server,
		   const struct registration *registration);

/* The methods. All except Binding and refresh expect an authenticated request. */
void binding_request(const struct request *request);
void refresh_request(const struct request *request);
void register_request(const struct request *request);
void unregister_request(const struct request *request);
void connect_request(const struct request *request);
void report_request(const struct request *request);
/* Binds a channel of the relay, or refreshes its binding. */
void bind_request(const struct request *request);
/* Handles the response to an introduction. */
void introduce_response(const struct request *response);
/* Forwards a ChannelData message. An unbound source gets no answer. */
void relay_receive(struct server *server, const struct path *path, const void *message,
		   size_t length, uint64_t now_ns);

#endif
