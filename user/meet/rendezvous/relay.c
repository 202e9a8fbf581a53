// SPDX-License-Identifier: GPL-2.0-or-later
#include "meet/rendezvous/relay.h"

#include "meet/channel.h"
#include "meet/rendezvous/request.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SECOND_NS 1000000000ULL
#define MS_NS	  1000000ULL
#define TICK_NS	  SECOND_NS

static const uint16_t known[] = { SLUICE_STUN_USERNAME, SLUICE_STUN_NONCE, SLUICE_STUN_PADDING,
				  SLUICE_RENDEZVOUS_SESSION_ID, SLUICE_RENDEZVOUS_CHANNEL_NUMBER };
#define COUNT_OF(array) (sizeof(array) / sizeof(*(array)))

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

static struct relay_source source_of(const struct path *path, uint16_t channel)
{
	return (struct relay_source){ .addr = path->client.addr,
				      .stream = path->stream,
				      .port_be = path->client.port_be,
				      .channel = channel };
}

static struct relay_leg *find_source(const struct relays *relays, const struct relay_source *source)
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

/* Frees a relay that no peer uses. */
static void put_relay(struct relays *relays, struct relay *relay)
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

/* Returns 0, or -ENOMEM: it is not bound then. */
static int leg_bind(struct relays *relays, struct relay_leg *leg, const struct path *path,
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

/* --- the request */

/*
 * Makes the relay of a session that the peer takes part in. Returns NULL after an error response.
 */
static struct relay *new_relay(const struct request *request, const uint8_t *id)
{
	struct server *server = request->server;
	const struct session *session = session_find(&server->sessions, id);
	struct relay *relay;
	int side;

	if (!session || memcmp(session->id, id, sizeof(session->id)) ||
	    (session->peer[SESSION_FROM]->peer != request->peer &&
	     session->peer[SESSION_TO]->peer != request->peer) ||
	    /* a reload may have taken the permission away */
	    !peers_allow(session->peer[SESSION_TO]->peer, session->peer[SESSION_FROM]->peer)) {
		reply_error(request, 404, COUNT_refused_stale);
		return NULL;
	}
	if (relays_count(&server->relays) >= server->config.relay.pairs) {
		reply_error(request, 486, COUNT_refused_limit);
		return NULL;
	}
	relay = calloc(1, sizeof(*relay));
	if (!relay) {
		reply_error(request, 500, COUNT_refused_limit);
		return NULL;
	}
	memcpy(relay->id, id, sizeof(relay->id));
	for (side = 0; side < SESSION_SIDES; side++) {
		relay->leg[side].relay = relay;
		relay->leg[side].peer = session->peer[side]->peer;
	}
	HASH_ADD(hh, server->relays.by_id, id, sizeof(relay->id), relay);
	if (!relay->hh.tbl) {
		free(relay);
		reply_error(request, 500, COUNT_refused_limit);
		return NULL;
	}
	return relay;
}

/* Finds the peer's own side of a relay. Returns NULL after an error response. */
static struct relay_leg *find_leg(const struct request *request, const uint8_t *id)
{
	struct relay *relay;
	int side;

	HASH_FIND(hh, request->server->relays.by_id, id, sizeof(relay->id), relay);
	if (!relay)
		relay = new_relay(request, id);
	if (!relay)
		return NULL;
	for (side = 0; side < SESSION_SIDES; side++)
		if (relay->leg[side].peer == request->peer)
			return &relay->leg[side];
	reply_error(request, 404, COUNT_refused_stale);
	return NULL;
}

/* Binds, or refreshes. Returns 0 or the code of an error; 438 asks for a fresh nonce. */
static unsigned int bind_leg(const struct request *request, struct relay_leg *leg, uint16_t channel)
{
	struct server *server = request->server;
	const struct relay_source source = source_of(request->path, channel);
	const struct relay_leg *holder = find_source(&server->relays, &source);
	uint64_t proved_ms = request->now_ns / MS_NS - request->nonce_age_ms;
	bool fresh = !leg->bound;

	if (holder && holder != leg)
		return 400; /* as RFC 8656, section 12.2 */
	if (fresh && request->peer->relays >= RELAYS_PEER)
		return 486;
	/*
	 * An attacker may have recorded a request from an earlier address of the peer, and repeat
	 * it while its nonce is valid.
	 */
	if (!fresh && !holder && proved_ms <= leg->proved_ms &&
	    !path_is_same(&leg->path, request->path))
		return 438;
	if (!holder && leg_bind(&server->relays, leg, request->path, &source))
		return 500;
	if (proved_ms > leg->proved_ms)
		leg->proved_ms = proved_ms;
	/* the wheel rounds down */
	timer_wheel_set(&server->relays.wheel, &leg->timer,
			request->now_ns + (RELAY_LIFE_S + 1) * TICK_NS);
	count(server, fresh ? COUNT_relay_bound : COUNT_relay_refreshed);
	return 0;
}

void bind_request(const struct request *request)
{
	struct server *server = request->server;
	const uint8_t *id, *channel;
	struct relay_leg *leg;
	struct reply reply;
	size_t id_length, channel_length;
	unsigned int number, code;

	if (reply_unknown(request, known, COUNT_OF(known)))
		return;
	if (stun_get(request->message, SLUICE_RENDEZVOUS_SESSION_ID, &id, &id_length) ||
	    id_length != SLUICE_RENDEZVOUS_SESSION_ID_SIZE ||
	    stun_get(request->message, SLUICE_RENDEZVOUS_CHANNEL_NUMBER, &channel,
		     &channel_length) ||
	    channel_length != 4) {
		reply_error(request, 400, COUNT_bad_request);
		return;
	}
	number = (unsigned int)channel[0] << 8 | channel[1];
	if (!channel_is_valid(number)) {
		reply_error(request, 400, COUNT_bad_request);
		return;
	}
	if (!store_by_peer(server->store, request->peer)) {
		reply_error(request, 437, COUNT_refused_stale);
		return;
	}
	leg = find_leg(request, id);
	if (!leg)
		return;
	code = bind_leg(request, leg, (uint16_t)number);
	put_relay(&server->relays, leg->relay);
	if (code == 438) {
		request_challenge(request, code);
		return;
	}
	if (code) {
		reply_error(request, code, code == 400 ? COUNT_bad_request : COUNT_refused_limit);
		return;
	}
	reply_begin(&reply, request, SLUICE_STUN_SUCCESS);
	stun_put_u32(&reply.builder, SLUICE_RENDEZVOUS_LIFETIME, RELAY_LIFE_S);
	reply_send(&reply, request, request->path);
}

/* --- data */

/* The same algorithm as that of budget.c, for bytes. Returns when the budget would be full again.
 */
static uint64_t due_after(uint64_t due_ns, uint64_t rate, size_t bytes, uint64_t now_ns)
{
	uint64_t from_ns = due_ns > now_ns ? due_ns : now_ns;

	return rate ? from_ns + bytes * SECOND_NS / rate : 0;
}

/* Takes the bytes from the budgets of the sender and of all, or from none. */
static bool take(struct server *server, struct peer *sender, size_t bytes, uint64_t now_ns)
{
	const uint64_t limit_ns = now_ns + RELAY_BURST_S * SECOND_NS;
	uint64_t own_ns = due_after(sender->relay_due_ns, server->config.relay.peer_rate, bytes,
				    now_ns);
	uint64_t all_ns = due_after(server->relays.due_ns, server->config.relay.rate, bytes,
				    now_ns);

	if (own_ns > limit_ns || all_ns > limit_ns)
		return false;
	sender->relay_due_ns = own_ns;
	server->relays.due_ns = all_ns;
	return true;
}

static const struct relay_leg *other_leg(const struct relay_leg *leg)
{
	struct relay *relay = leg->relay;

	return &relay->leg[leg == &relay->leg[SESSION_FROM] ? SESSION_TO : SESSION_FROM];
}

void relay_receive(struct server *server, const struct path *path, const void *message,
		   size_t length, uint64_t now_ns)
{
	struct relay_source source;
	const struct relay_leg *leg, *other;
	uint8_t out[MESSAGE_MAX] = { 0 };
	struct channel_data in;
	size_t size;

	if (channel_parse(message, length, &in) || channel_padded(in.length) > sizeof(out)) {
		count(server, COUNT_foreign);
		return;
	}
	source = source_of(path, in.number);
	leg = find_source(&server->relays, &source);
	other = leg ? other_leg(leg) : NULL;
	if (!other || !other->bound) {
		count(server, COUNT_relay_unbound);
		return;
	}
	size = other->path.stream ? channel_padded(in.length) : SLUICE_CHANNEL_HEADER + in.length;
	if (!take(server, leg->peer, size, now_ns)) {
		count(server, COUNT_relay_dropped);
		return;
	}
	channel_put_header(out, other->source.channel, in.length);
	memcpy(out + SLUICE_CHANNEL_HEADER, in.data, in.length);
	count(server, COUNT_relay_datagrams);
	server->counter[COUNT_relay_bytes] += size;
	server->send(&other->path, out, size, server->arg);
}

/* --- ends */

static void leg_end(struct relays *relays, struct relay_leg *leg)
{
	leg_unbind(relays, leg);
	put_relay(relays, leg->relay);
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
	put_relay(relays, relay);
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
