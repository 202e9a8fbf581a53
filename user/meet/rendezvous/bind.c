// SPDX-License-Identifier: GPL-2.0-or-later
/* Handles what peers send to the relay: requests to bind a channel, and ChannelData. */
#include "base/rate.h"
#include "meet/channel.h"
#include "meet/rendezvous/auth.h"
#include "meet/rendezvous/relay.h"
#include "meet/rendezvous/request.h"

#include <string.h>

#define SECOND_NS 1000000000ULL
#define MS_NS	  1000000ULL

static const uint16_t known[] = { AUTH_ATTRIBUTES, SLUICE_RENDEZVOUS_SESSION_ID,
				  SLUICE_RENDEZVOUS_CHANNEL_NUMBER };
#define COUNT_OF(array) (sizeof(array) / sizeof(*(array)))

/* Creates the relay of one of the peer's sessions. Returns NULL after an error response. */
static struct relay *new_relay(const struct request *request, const uint8_t *id)
{
	struct server *server = request->server;
	const struct session *session = session_find(&server->sessions, id);
	struct relay *relay;

	if (!session || memcmp(session->id, id, sizeof(session->id)) ||
	    (session->peer[SESSION_FROM]->peer != request->peer &&
	     session->peer[SESSION_TO]->peer != request->peer) ||
	    /* a reload may have removed the permission */
	    !peers_allow(session->peer[SESSION_TO]->peer, session->peer[SESSION_FROM]->peer)) {
		reply_error(request, 404, COUNT_refused_stale);
		return NULL;
	}
	if (relays_count(&server->relays) >= server->config.relay.pairs) {
		reply_error(request, 486, COUNT_refused_limit);
		return NULL;
	}
	relay = relays_add(&server->relays, session);
	if (!relay)
		reply_error(request, 500, COUNT_refused_limit);
	return relay;
}

/* Finds the peer's own side of a relay. Returns NULL after an error response. */
static struct relay_leg *find_leg(const struct request *request, const uint8_t *id)
{
	struct relay *relay = relays_find(&request->server->relays, id);
	int side;

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
	const struct relay_source source = relay_source_of(request->path, channel);
	const struct relay_leg *holder = relays_find_source(&server->relays, &source);
	uint64_t proved_ms = request->now_ns / MS_NS - request->nonce_age_ms;
	bool fresh = !leg->bound;

	if (holder && holder != leg)
		return 400; /* RFC 8656, section 12.2 */
	if (fresh && request->peer->relays >= RELAYS_PEER)
		return 486;
	/*
	 * An attacker can replay a request that the peer sent from an earlier address, as long as
	 * its nonce is valid.
	 */
	if (!fresh && !holder && proved_ms <= leg->proved_ms &&
	    !path_is_same(&leg->path, request->path))
		return 438;
	if (!holder && relays_bind(&server->relays, leg, request->path, &source))
		return 500;
	if (proved_ms > leg->proved_ms)
		leg->proved_ms = proved_ms;
	relays_defer(&server->relays, leg, request->now_ns);
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
	relays_put(&server->relays, leg->relay);
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

/* Returns the time that @bytes take at @rate bytes a second, or 0 without a limit. */
static uint64_t cost_of(size_t bytes, uint64_t rate)
{
	return rate ? bytes * SECOND_NS / rate : 0;
}

/* Charges the bytes to the sender's budget and to the common one, or to neither. */
static bool take(struct server *server, struct peer *sender, size_t bytes, uint64_t now_ns)
{
	const struct server_relay *limits = &server->config.relay;
	const uint64_t burst_ns = RELAY_BURST_S * SECOND_NS;
	uint64_t own_ns = sender->relay_due_ns;

	if (!rate_take(&own_ns, cost_of(bytes, limits->peer_rate), burst_ns, now_ns) ||
	    !rate_take(&server->relays.due_ns, cost_of(bytes, limits->rate), burst_ns, now_ns))
		return false;
	sender->relay_due_ns = own_ns;
	return true;
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
	source = relay_source_of(path, in.number);
	leg = relays_find_source(&server->relays, &source);
	other = leg ? relay_other_leg(leg) : NULL;
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
