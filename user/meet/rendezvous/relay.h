/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The relay: passes datagrams on between the two peers of one session. It has no allocation and no
 * permission that a peer could point at an address: each peer binds a channel of its own address,
 * which it proves, to the session, and what arrives in the channel of one leaves in that of the
 * other. Before both have bound theirs, nothing is passed on.
 *
 *   A ── ChannelData 0x4abc ──▶ server ── ChannelData 0x4123 ──▶ B
 *
 * A relay outlives the session that it was made for, and the registrations: each peer defers the
 * end of its binding by another bind request, which also moves it to another address.
 */
#ifndef SLUICE_MEET_RENDEZVOUS_RELAY_H
#define SLUICE_MEET_RENDEZVOUS_RELAY_H

#include "base/timer_wheel.h"
#include "meet/peers.h"
#include "meet/rendezvous/session.h"

#define RELAY_LIFE_S  60
#define RELAYS_PEER   256 /* bindings of a peer */
#define RELAY_BURST_S 1	  /* of the rate, at once */

/* Where the messages of a binding come from. It is hashed: padding would have to be zero. */
struct relay_source {
	struct in6_addr addr;
	struct stream *stream;
	in_port_t port_be;
	uint16_t channel;
	uint32_t zero;
};

/* The binding of one peer. */
struct relay_leg {
	UT_hash_handle hh; /* by source; only while it is bound */
	struct timer timer;
	struct relay *relay;
	struct peer *peer;
	bool bound;
	struct relay_source source;
	struct path path;
	uint64_t proved_ms;				/* when the nonce was made */
	struct relay_leg *next_of_peer, **link_of_peer; /* in the list of the peer */
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
	uint64_t due_ns; /* when the budget of all is full again */
};

void relays_init(struct relays *relays, uint64_t now_ns);
void relays_free(struct relays *relays);

struct relay *relays_find(const struct relays *relays, const uint8_t *id);
/*
 * Makes the relay of a session, without bindings. relays_put() has to follow. Returns NULL on
 * ENOMEM.
 */
struct relay *relays_add(struct relays *relays, const struct session *session);
/* Frees a relay that no peer uses. */
void relays_put(struct relays *relays, struct relay *relay);

struct relay_source relay_source_of(const struct path *path, uint16_t channel);
struct relay_leg *relays_find_source(const struct relays *relays,
				     const struct relay_source *source);
const struct relay_leg *relay_other_leg(const struct relay_leg *leg);
/* Binds, or moves the binding. Returns 0, or -ENOMEM: it is not bound then. */
int relays_bind(struct relays *relays, struct relay_leg *leg, const struct path *path,
		const struct relay_source *source);
/* Defers the end of a binding. */
void relays_defer(struct relays *relays, struct relay_leg *leg, uint64_t now_ns);

/* End the bindings of a peer that unregisters, or of a connection. */
void relays_of_peer_end(struct relays *relays, struct peer *peer);
void relays_of_stream_end(struct relays *relays, struct stream *stream);
/*
 * Moves all bindings to the peers of a new file, before the earlier peers are freed. Ends those of
 * peers that are not in it, have another key, or may not connect any more.
 */
void relays_rebind(struct relays *relays, const struct peers *peers);
/* Returns how many bindings it has removed. */
size_t relays_expire(struct relays *relays, uint64_t now_ns);
size_t relays_count(const struct relays *relays);

#endif
