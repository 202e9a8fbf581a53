/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rendezvous server: a state machine without I/O and without a clock. Messages and times go in,
 * messages come out. It answers all STUN Binding requests, and keeps the registrations of the peers
 * in its file. sluice-protocol(7) describes the messages.
 *
 * A source gets state only after it has proved both its address, by a nonce, and its key.
 */
#ifndef SLUICE_MEET_RENDEZVOUS_SERVER_H
#define SLUICE_MEET_RENDEZVOUS_SERVER_H

#include "base/err.h"
#include "meet/peers.h"
#include "meet/rendezvous/config.h"
#include "meet/rendezvous/counters.h"
#include "meet/rendezvous/store.h"

#include <stdbool.h>

struct server;

/*
 * Creates a server, which takes over *peers. Returns 0, or -errno with *err set.
 */
int server_new(struct server **server, const struct server_config *config, struct peers *peers,
	       server_send_fn send, void *arg, uint64_t now_ns, struct err *err);
void server_free(struct server *server);

/* Handles a datagram or a framed message: STUN, or ChannelData for the relay. */
void server_receive(struct server *server, const struct path *path, const void *message,
		    size_t length, uint64_t now_ns);
/* Removes the registration and the bindings of a connection, before it is freed. */
void server_stream_closed(struct server *server, struct stream *stream);
/*
 * Replaces the peers, and takes over *peers. Removes the registrations of peers that are gone or
 * have another key, and returns their number.
 */
size_t server_set_peers(struct server *server, struct peers *peers);

/* Removes what has expired. */
void server_expire(struct server *server, uint64_t now_ns);
/* When to call server_expire() next; false: nothing expires. */
bool server_next(const struct server *server, uint64_t *at_ns);

/* --- for the status */

const struct store *server_store(const struct server *server);
const struct peers *server_peers(const struct server *server);
/* Returns the time since a registration was made, or refreshed by the server or the fast path. */
uint64_t server_idle_ns(const struct server *server, const struct registration *registration,
			uint64_t now_ns);
const uint64_t *server_counters(const struct server *server);
size_t server_sessions(const struct server *server);
/* Returns the number of sessions with a relay binding. */
size_t server_relays(const struct server *server);
/* Returns the number of table entries without budget. */
unsigned int server_budgets_spent(const struct server *server, uint64_t now_ns);

#endif
