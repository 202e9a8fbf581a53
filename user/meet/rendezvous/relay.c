// SPDX-License-Identifier: GPL-2.0-or-later
#include "meet/rendezvous/relay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SECOND_NS 1000000000ULL
#define TICK_NS	  SECOND_NS

void relays_init(struct relays *relays, uint64_t now_ns)
{
	*relays = (struct relays){ .by_id = NULL };
	timer_wheel_init(&relays->wheel, now_ns, TICK_NS);
}

size_t relays_count(const struct relays *relays)
{
	return HASH_COUNT(relays->by_id);
}

/* --- bindings */

struct relay_source relay_source_of(const struct path *path, uint16_t channel)
{
	return (struct relay_source){ .addr = path->client.addr,
				      .stream = path->stream,
				      .port_be = path->client.port_be,
				      .channel = channel };
}

struct relay_leg *relays_find_source(const struct relays *relays, const struct relay_source *source)
{
	struct relay_leg *leg;

	HASH_FIND(hh, relays->by_source, source, sizeof(*source), leg);
	return leg;
}

static void add_to_peer(struct relay_leg *leg)
{
	leg->link_of_peer = &leg->peer->relay_legs;
	leg->next_of_peer = leg->peer->relay_legs;
	if (leg->next_of_peer)
		leg->next_of_peer->link_of_peer = &leg->next_of_peer;
	leg->peer->relay_legs = leg;
	leg->peer->relays++;
}

static void remove_from_peer(struct relay_leg *leg)
{
	*leg->link_of_peer = leg->next_of_peer;
	if (leg->next_of_peer)
		leg->next_of_peer->link_of_peer = leg->link_of_peer;
	leg->peer->relays--;
}

static void add_to_stream(struct relay_leg *leg)
{
	struct stream *stream = leg->source.stream;

	if (!stream)
		return;
	leg->link_of_stream = &stream->relay_legs;
	leg->next_of_stream = stream->relay_legs;
	if (leg->next_of_stream)
		leg->next_of_stream->link_of_stream = &leg->next_of_stream;
	stream->relay_legs = leg;
}

static void remove_from_stream(struct relay_leg *leg)
{
	if (!leg->source.stream)
		return;
	*leg->link_of_stream = leg->next_of_stream;
	if (leg->next_of_stream)
		leg->next_of_stream->link_of_stream = leg->link_of_stream;
}

void relays_put(struct relays *relays, struct relay *relay)
{
	if (relay->leg[SESSION_FROM].bound || relay->leg[SESSION_TO].bound)
		return;
	HASH_DEL(relays->by_id, relay);
	free(relay);
}

static void leg_unbind(struct relays *relays, struct relay_leg *leg)
{
	if (!leg->bound)
		return;
	HASH_DELETE(hh, relays->by_source, leg);
	remove_from_stream(leg);
	remove_from_peer(leg);
	timer_wheel_remove(&relays->wheel, &leg->timer);
	leg->bound = false;
}

int relays_bind(struct relays *relays, struct relay_leg *leg, const struct path *path,
		const struct relay_source *source)
{
	leg_unbind(relays, leg);
	leg->source = *source;
	leg->hh = (UT_hash_handle){ 0 };
	HASH_ADD(hh, relays->by_source, source, sizeof(leg->source), leg);
	if (!leg->hh.tbl)
		return -ENOMEM;
	leg->path = *path;
	add_to_peer(leg);
	add_to_stream(leg);
	leg->bound = true;
	return 0;
}

void relays_defer(struct relays *relays, struct relay_leg *leg, uint64_t now_ns)
{
	/* the wheel rounds down */
	timer_wheel_set(&relays->wheel, &leg->timer, now_ns + (RELAY_LIFE_S + 1) * TICK_NS);
}

struct relay *relays_find(const struct relays *relays, const uint8_t *id)
{
	struct relay *relay;

	HASH_FIND(hh, relays->by_id, id, sizeof(relay->id), relay);
	return relay;
}

struct relay *relays_add(struct relays *relays, const struct session *session)
{
	struct relay *relay = calloc(1, sizeof(*relay));
	int side;

	if (!relay)
		return NULL;
	memcpy(relay->id, session->id, sizeof(relay->id));
	for (side = 0; side < SESSION_SIDES; side++) {
		relay->leg[side].relay = relay;
		relay->leg[side].peer = session->peer[side]->peer;
	}
	HASH_ADD(hh, relays->by_id, id, sizeof(relay->id), relay);
	if (relay->hh.tbl)
		return relay;
	free(relay);
	return NULL;
}

const struct relay_leg *relay_other_leg(const struct relay_leg *leg)
{
	struct relay *relay = leg->relay;

	return &relay->leg[leg == &relay->leg[SESSION_FROM] ? SESSION_TO : SESSION_FROM];
}

/* --- ends */

static void leg_end(struct relays *relays, struct relay_leg *leg)
{
	leg_unbind(relays, leg);
	relays_put(relays, leg->relay);
}

void relays_of_peer_end(struct relays *relays, struct peer *peer)
{
	while (peer->relay_legs)
		leg_end(relays, peer->relay_legs);
}

void relays_of_stream_end(struct relays *relays, struct stream *stream)
{
	while (stream->relay_legs)
		leg_end(relays, stream->relay_legs);
}

static void relay_end(struct relays *relays, struct relay *relay)
{
	leg_unbind(relays, &relay->leg[SESSION_FROM]);
	leg_unbind(relays, &relay->leg[SESSION_TO]);
	relays_put(relays, relay);
}

void relays_rebind(struct relays *relays, const struct peers *peers)
{
	struct relay *relay, *next;
	struct peer *now[SESSION_SIDES];
	int side;

	for (relay = relays->by_id; relay; relay = next) {
		next = relay->hh.next;
		for (side = 0; side < SESSION_SIDES; side++) {
			const struct peer *before = relay->leg[side].peer;

			now[side] = peers_find(peers, before->name, strlen(before->name));
			if (now[side] &&
			    memcmp(now[side]->public_key, before->public_key, KEY_SIZE))
				now[side] = NULL;
		}
		if (!now[SESSION_FROM] || !now[SESSION_TO] ||
		    !peers_allow(now[SESSION_TO], now[SESSION_FROM])) {
			relay_end(relays, relay);
			continue;
		}
		for (side = 0; side < SESSION_SIDES; side++) {
			struct relay_leg *leg = &relay->leg[side];

			now[side]->relay_due_ns = leg->peer->relay_due_ns;
			if (leg->bound)
				remove_from_peer(leg);
			leg->peer = now[side];
			if (leg->bound)
				add_to_peer(leg);
		}
	}
}

struct expiry {
	struct relays *relays;
	size_t removed;
};

static void on_expired(struct timer *timer, void *arg)
{
	struct expiry *expiry = arg;

	leg_end(expiry->relays,
		(struct relay_leg *)((char *)timer - offsetof(struct relay_leg, timer)));
	expiry->removed++;
}

size_t relays_expire(struct relays *relays, uint64_t now_ns)
{
	struct expiry expiry = { relays, 0 };

	timer_wheel_expire(&relays->wheel, now_ns, on_expired, &expiry);
	return expiry.removed;
}

void relays_free(struct relays *relays)
{
	while (relays->by_id)
		relay_end(relays, relays->by_id);
}
