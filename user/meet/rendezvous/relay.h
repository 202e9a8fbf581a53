/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Forwards datagrams between the two peers of one session. Unlike TURN, it has no permissions that
 * a peer could point at an arbitrary address. Each peer binds a channel of its own, proven address
 * to the session. A datagram that arrives on one peer's channel leaves on the other's. Until both
 * channels are bound, the relay drops everything.
 *
 *   A ── ChannelData 0x4abc ──▶ server ── ChannelData 0x4123 ──▶ B
 *
 * A relay outlives its session and the registrations. Each peer extends its own binding by another
 * bind request, which also moves the binding to another address.
 */
#ifndef SLUICE_MEET_RENDEZVOUS_RELAY_H
#define SLUICE_MEET_RENDEZVOUS_RELAY_H

#include "base/timer_wheel.h"
#include "meet/peers.h"
#include "meet/rendezvous/session.h"

#define RELAY_LIFE_S  60
#define RELAYS_PEER   256 /* bindings of a peer */
#define RELAY_BURST_S 1	  /* burst, in seconds of the rate */

/* The source of a binding's messages. A hash key: it must have no padding. */
struct relay_source {
	struct in6_addr addr;
	struct stream *stream;
	in_port_t port_be;
	uint16_t channel;
	uint32_t zero;
};

/* The binding of one peer. */
struct relay_leg {
	UT_hash_handle hh; /* by source, while bound */
	struct timer timer;
	struct relay *relay;
	struct peer *peer;
	bool bound;
	struct relay_source source;
	struct path path;
	uint64_t proved_ms;				/* creation time of the nonce */
	struct relay_leg *next_of_peer, **link_of_peer; /* list of the peer's bindings */
	struct relay_leg *next_of_stream, **link_of_stream;
};

struct relay {
	UT_hash_handle hh; /* by id */
	uint8_t id[SLUICE_RENDEZVOUS_SESSION_ID_SIZE];
	struct relay_leg leg[SESSION_SIDES];
};

struct relays {
	struct relay *by_id;
	struct relay_leg *by_source;
	struct timer_wheel wheel;
	uint64_t due_ns; /* when the common budget is full again */
};

void relays_init(struct relays *relays, uint64_t now_ns);
void relays_free(struct relays *relays);

struct relay *relays_find(const struct relays *relays, const uint8_t *id);
/*
 * Creates the relay of a session, without bindings. The caller must call relays_put() afterwards.
 * Returns NULL on ENOMEM.
 */
struct relay *relays_add(struct relays *relays, const struct session *session);
/* Frees the relay if no peer has bound a channel. */
void relays_put(struct relays *relays, struct relay *relay);

struct relay_source relay_source_of(const struct path *path, uint16_t channel);
struct relay_leg *relays_find_source(const struct relays *relays,
				     const struct relay_source *source);
const struct relay_leg *relay_other_leg(const struct relay_leg *leg);
/* Binds a channel, or moves the binding. Returns 0, or -ENOMEM with no channel bound. */
int relays_bind(struct relays *relays, struct relay_leg *leg, const struct path *path,
		const struct relay_source *source);
/* Extends a binding by its lifetime. */
void relays_defer(struct relays *relays, struct relay_leg *leg, uint64_t now_ns);

/* Remove the bindings of a peer that unregisters, or of a closed connection. */
void relays_of_peer_end(struct relays *relays, struct peer *peer);
void relays_of_stream_end(struct relays *relays, struct stream *stream);
/*
 * Moves all bindings to the peers of a new file, before the old peers are freed. Removes the
 * bindings of peers that are gone, have a new key, or may not connect any more.
 */
void relays_rebind(struct relays *relays, const struct peers *peers);
/* Returns the number of expired bindings. */
size_t relays_expire(struct relays *relays, uint64_t now_ns);
size_t relays_count(const struct relays *relays);

#endif
