// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The predicted ports of a symmetric NAT (peer/predict.h). The peer behind this NAT sends checks
 * from a mapping whose port is not known yet. It sends the probable ports to the other peer through
 * the relay. The other peer sends checks to these ports, at the public address that the server has
 * proved. The check to the right port passes the NAT, since it comes from the destination of that
 * mapping; the others are dropped.
 */
#include "meet/peer/relay.h"
#include "meet/peer/session.h"
#include "meet/peer/session_state.h"
#include "net/stun_build.h"

#include <arpa/inet.h>
#include <string.h>

/* Other hosts behind the NAT, and private addresses of the other peer, use up some of the ports. */
#define PORTS 6
/* Entries of the table to leave free for addresses from which checks arrive. */
#define FREE 3

void session_put_predicted(const struct peer_session *session, unsigned int remote,
			   struct stun_builder *builder)
{
	const struct session_keys *keys = &session->keys[session->checks[remote].keys];

	if (keys->predicted.step && relay_is_endpoint(&session->remote[remote].at))
		stun_put(builder, SLUICE_RENDEZVOUS_PREDICTED_PORTS, &keys->predicted,
			 sizeof(keys->predicted));
}

/* Adds the ports at a public address of the other peer. */
static void add(struct peer_session *session, const struct stun_endpoint *public,
		const struct sluice_rendezvous_predicted *predicted, unsigned int keys,
		uint64_t now_ns)
{
	struct stun_endpoint at = *public;
	int i, k, port;

	for (k = 0; k < PORTS; k++) {
		port = ntohs(predicted->first_be) + k * predicted->step;
		if (port < 0 || port > UINT16_MAX)
			return;
		at.port_be = htons((uint16_t)port);
		if (session->remotes + FREE >= PEER_SESSION_REMOTES_MAX)
			return;
		if (session_find_remote(session, &at, keys) != SESSION_NONE)
			continue;
		i = session_append_remote(session, &at, PEER_SESSION_REMOTE_PREDICTED, keys);
		if (i != SESSION_NONE)
			session_search_remote(session, (unsigned int)i, now_ns);
	}
}

void session_take_predicted(struct peer_session *session, const struct stun_endpoint *from,
			    const struct stun_message *message, unsigned int keys, uint64_t now_ns)
{
	struct session_keys *own = &session->keys[keys];
	struct sluice_rendezvous_predicted predicted;
	const struct candidate *candidate;
	const uint8_t *value;
	size_t length;
	unsigned int i;

	/* once per introduction, so that a hostile peer gets few checks to other ports */
	if (own->has_predicted || keys != session->latest || !relay_is_endpoint(from) ||
	    stun_get(message, SLUICE_RENDEZVOUS_PREDICTED_PORTS, &value, &length) ||
	    length != sizeof(predicted))
		return;
	memcpy(&predicted, value, sizeof(predicted));
	if (!predicted.step)
		return;
	own->has_predicted = true;
	for (i = 0; i < own->introduction.candidates; i++) {
		candidate = &own->introduction.candidate[i];
		if (candidate->kind == CANDIDATE_REFLEXIVE && candidate->transport == CANDIDATE_UDP)
			add(session, &candidate->at, &predicted, keys, now_ns);
	}
}

void peer_session_set_predicted(struct peer_session *session,
				const uint8_t id[SLUICE_RENDEZVOUS_SESSION_ID_SIZE],
				const struct sluice_rendezvous_predicted *predicted,
				uint64_t now_ns)
{
	struct session_keys *keys = &session->keys[session->latest];
	unsigned int i;

	if (memcmp(keys->introduction.id, id, sizeof(keys->introduction.id)))
		return;
	keys->predicted = *predicted;
	/* a relay that was bound earlier has sent its check without the ports */
	for (i = 0; i < session->remotes; i++)
		if (relay_is_endpoint(&session->remote[i].at) &&
		    session->checks[i].keys == session->latest) {
			session->checks[i].urgent = true;
			session->checks[i].due_ns = now_ns;
		}
}
