// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * connect, introduce and report. The server introduces A to B, and once B has confirmed, B to A. It
 * never retransmits: A repeats its request until it receives the response.
 */
#include "base/rate.h"
#include "meet/rendezvous/auth.h"
#include "meet/rendezvous/request.h"

#include <errno.h>
#include <string.h>

#define SECOND_NS 1000000000ULL
/* Connects of a peer: one a second, in bursts of this size. */
#define CONNECTS_BURST 10
/* Each makes the server send a longer message to the other peer; RFC 8489, section 6.2.1. */
#define REPEATS_MAX 6
/* Bounds the delay that a peer can impose on the other. */
#define DELAY_MAX_MS 2000U

static const uint16_t known_connect[] = { AUTH_ATTRIBUTES, SLUICE_RENDEZVOUS_PEER_NAME,
					  SLUICE_RENDEZVOUS_EPHEMERAL_KEY };
static const uint16_t known_report[] = { AUTH_ATTRIBUTES, SLUICE_RENDEZVOUS_SESSION_ID,
					 SLUICE_RENDEZVOUS_OUTCOME };
#define COUNT_OF(array) (sizeof(array) / sizeof(*(array)))

/*
 * Appends the attributes that describe one side of a session to the other. @delay_ms: the time to
 * wait, so that both sides start to send simultaneously.
 */
static void put_other_side(struct stun_builder *builder, const struct session *session,
			   enum session_side other, uint32_t delay_ms)
{
	const struct registration *peer = session->peer[other];
	struct candidate candidate = { .at = peer->path.client,
				       .kind = CANDIDATE_REFLEXIVE,
				       .transport = path_transport(&peer->path) };
	int i;

	stun_put(builder, SLUICE_RENDEZVOUS_SESSION_ID, session->id,
		 SLUICE_RENDEZVOUS_SESSION_ID_SIZE);
	stun_put(builder, SLUICE_RENDEZVOUS_PEER_NAME, peer->peer->name, strlen(peer->peer->name));
	stun_put(builder, SLUICE_RENDEZVOUS_PEER_KEY, peer->peer->public_key, KEY_SIZE);
	stun_put(builder, SLUICE_RENDEZVOUS_EPHEMERAL_KEY, session->ephemeral[other], KEY_SIZE);
	stun_put_u32(builder, SLUICE_RENDEZVOUS_START_DELAY, delay_ms);
	candidate_put(builder, &candidate, NULL);
	for (i = 0; i < peer->candidates; i++)
		candidate_put(builder, &peer->candidate[i], NULL);
}

/* Begins a message to one side of a session. It copies no attribute from a request. */
static void begin(struct reply *reply, unsigned int method, enum sluice_stun_class class,
		  const uint8_t *transaction)
{
	stun_begin(&reply->builder, reply->message, sizeof(reply->message), method, class,
		   transaction);
}

/*
 * A receives its start half a round trip after B's answer reaches the server. So B waits for its
 * own half round trip plus A's.
 */
static void introduce(struct server *server, const struct session *session)
{
	const struct registration *from = session->peer[SESSION_FROM],
				  *to = session->peer[SESSION_TO];
	uint32_t delay_ms = (from->rtt_ms + to->rtt_ms) / 2;
	struct reply reply;

	begin(&reply, SLUICE_RENDEZVOUS_INTRODUCE, SLUICE_STUN_REQUEST, session->id);
	put_other_side(&reply.builder, session, SESSION_FROM,
		       delay_ms < DELAY_MAX_MS ? delay_ms : DELAY_MAX_MS);
	reply_to_peer(&reply, server, to);
}

static void reply_connected(struct server *server, const struct session *session)
{
	struct reply reply;

	begin(&reply, SLUICE_RENDEZVOUS_CONNECT, SLUICE_STUN_SUCCESS, session->transaction);
	put_other_side(&reply.builder, session, SESSION_TO, 0);
	reply_to_peer(&reply, server, session->peer[SESSION_FROM]);
}

/* A new registration brings no new budget. */
static bool take_connect(struct peer *from, uint64_t now_ns)
{
	return rate_take(&from->connects_due_ns, SECOND_NS, CONNECTS_BURST * SECOND_NS, now_ns);
}

/*
 * Finds the peer to connect to. A name that does not exist looks like one that @from may not
 * connect to. Returns NULL after an error response.
 */
static struct registration *find_target(const struct request *request)
{
	struct server *server = request->server;
	struct registration *to;
	const uint8_t *name;
	struct peer *peer;
	size_t length;

	if (stun_get(request->message, SLUICE_RENDEZVOUS_PEER_NAME, &name, &length)) {
		reply_error(request, 400, COUNT_bad_request);
		return NULL;
	}
	peer = length <= PEER_NAME_MAX ? peers_find(&server->peers, (const char *)name, length)
				       : NULL;
	if (!peer || peer == request->peer || !peers_allow(peer, request->peer)) {
		reply_error(request, 403, COUNT_refused_connect);
		return NULL;
	}
	to = store_by_peer(server->store, peer);
	if (!to)
		reply_error(request, 404, COUNT_refused_connect);
	return to;
}

void connect_request(const struct request *request)
{
	struct server *server = request->server;
	struct registration *from = request_registration(request), *to;
	struct session *session;
	const uint8_t *ephemeral;
	size_t length;

	if (!from || reply_unknown(request, known_connect, COUNT_OF(known_connect)))
		return;
	session = session_of_request(from, stun_id(request->message));
	if (session) {
		if (session->repeats == REPEATS_MAX) {
			count(server, COUNT_refused_limit);
			return;
		}
		session->repeats++;
		if (session->introduced)
			reply_connected(server, session);
		else
			introduce(server, session);
		return;
	}
	if (stun_get(request->message, SLUICE_RENDEZVOUS_EPHEMERAL_KEY, &ephemeral, &length) ||
	    length != KEY_SIZE) {
		reply_error(request, 400, COUNT_bad_request);
		return;
	}
	to = find_target(request);
	if (!to)
		return;
	session = take_connect(request->peer, request->now_ns)
			  ? session_add(&server->sessions, from, to, request->now_ns)
			  : NULL;
	if (!session) {
		reply_error(request, 486, COUNT_refused_limit);
		return;
	}
	memcpy(session->transaction, stun_id(request->message), SLUICE_STUN_ID_SIZE);
	memcpy(session->ephemeral[SESSION_FROM], ephemeral, KEY_SIZE);
	count(server, COUNT_connects);
	introduce(server, session);
}

void introduce_response(const struct request *response)
{
	struct server *server = response->server;
	const struct stun_message *message = response->message;
	struct session *session = session_find(&server->sessions, stun_id(message));
	const uint8_t *ephemeral;
	struct registration *to;
	struct reply reply;
	size_t length;

	to = session ? session->peer[SESSION_TO] : NULL;
	if (!to || !path_is_same(&to->path, response->path) ||
	    stun_check_sha256(message, to->peer->key, KEY_SIZE)) {
		count(server, COUNT_foreign);
		return;
	}
	if (session->introduced)
		return;
	if (message->class == SLUICE_STUN_SUCCESS &&
	    !stun_get(message, SLUICE_RENDEZVOUS_EPHEMERAL_KEY, &ephemeral, &length) &&
	    length == KEY_SIZE) {
		memcpy(session->ephemeral[SESSION_TO], ephemeral, KEY_SIZE);
		session->introduced = true;
		count(server, COUNT_introduced);
		reply_connected(server, session);
		return;
	}
	/* the peer has refused, or does not support this */
	begin(&reply, SLUICE_RENDEZVOUS_CONNECT, SLUICE_STUN_ERROR, session->transaction);
	stun_put_error(&reply.builder, 480);
	reply_to_peer(&reply, server, session->peer[SESSION_FROM]);
	count(server, COUNT_refused_connect);
	session_remove(&server->sessions, session);
}

void report_request(const struct request *request)
{
	struct server *server = request->server;
	struct registration *from = request_registration(request);
	struct session *session;
	enum session_side side;
	struct reply reply;
	const uint8_t *id;
	uint32_t outcome;
	size_t length;

	if (!from || reply_unknown(request, known_report, COUNT_OF(known_report)))
		return;
	if (stun_get(request->message, SLUICE_RENDEZVOUS_SESSION_ID, &id, &length) ||
	    length != SLUICE_RENDEZVOUS_SESSION_ID_SIZE ||
	    stun_get_u32(request->message, SLUICE_RENDEZVOUS_OUTCOME, &outcome) ||
	    outcome < SLUICE_RENDEZVOUS_DIRECT_UDP || outcome > SLUICE_RENDEZVOUS_FAILED) {
		reply_error(request, 400, COUNT_bad_request);
		return;
	}
	session = session_find(&server->sessions, id);
	if (!session || memcmp(session->id, id, SLUICE_RENDEZVOUS_SESSION_ID_SIZE) ||
	    session->peer[session_side(session, from)] != from) {
		reply_error(request, 404, COUNT_refused_stale);
		return;
	}
	side = session_side(session, from);
	if (!session->reported[side])
		count(server, outcome == SLUICE_RENDEZVOUS_RELAYED  ? COUNT_reported_relayed
			      : outcome == SLUICE_RENDEZVOUS_FAILED ? COUNT_reported_failed
								    : COUNT_reported_direct);
	session->reported[side] = true;
	reply_begin(&reply, request, SLUICE_STUN_SUCCESS);
	reply_send(&reply, request, request->path);
}
