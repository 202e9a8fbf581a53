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

#include "meet/peers.h"
#include "meet/rendezvous/store.h"

#define RELAY_LIFE_S  60
#define RELAYS_PEER   256 /* bindings of a peer */
#define RELAY_BURST_S 1	  /* of the rate, at once */

struct request;
struct server;
struct relay;
struct relay_leg;

struct relays {
	struct relay *by_id;
	struct relay_leg *by_source;
	struct timer_wheel wheel;
	uint64_t due_ns; /* when the budget of all is full again */
};

void relays_init(struct relays *relays, uint64_t now_ns);
void relays_free(struct relays *relays);

/* Binds a channel, or refreshes its binding. The request is authenticated. */
void bind_request(const struct request *request);
/* Passes a ChannelData message on. An unbound source gets no answer. */
void relay_receive(struct server *server, const struct path *path, const void *message,
		   size_t length, uint64_t now_ns);

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
