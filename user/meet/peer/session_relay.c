// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Decides when a session requests the relay, and when it tries to leave the relay. A session on the
 * relay, or on TCP, requests introductions with back-off, because a NAT or a network may have
 * changed; its path stays in use until a better address has answered a full-size check.
 */
#include "meet/peer/relay.h"
#include "meet/peer/session.h"
#include "meet/peer/session_state.h"

#include <string.h>

#define MS_NS	  1000000ULL
#define SECOND_NS 1000000000ULL

/* Hole punching takes one or two RTTs, so most sessions need no relay. */
#define DELAY_NS (500 * MS_NS)
/* Gap between attempts to find a direct path; a network change resets it to the minimum. */
#define UPGRADE_MIN_NS	   (15 * SECOND_NS)
#define UPGRADE_MAX_NS	   (600 * SECOND_NS)
#define UPGRADE_CHANGED_NS (2 * SECOND_NS)

void session_plan_relay(struct peer_session *session)
{
	session->relay_ns = SESSION_NEVER;
	if (session->options.relay == PEER_SESSION_RELAY_NEVER)
		return;
	session->relay_ns = session->start_ns;
	if (session->options.relay == PEER_SESSION_RELAY_LAST)
		session->relay_ns += DELAY_NS;
}

/*
 * Returns true if the path has passed a check since the introduction, which the other peer may have
 * requested.
 */
static bool has_path(const struct peer_session *session)
{
	return session->selected != SESSION_NONE && session->remote[session->selected].full &&
	       session->remote[session->selected].consent_ns >= session->introduced_ns;
}

uint64_t session_relay_due_ns(const struct peer_session *session)
{
	return session->relay_ns < session->upgrade_ns ? session->relay_ns : session->upgrade_ns;
}

void session_relay_timeout(struct peer_session *session, uint64_t now_ns)
{
	if (session->relay_ns <= now_ns) {
		session->relay_ns = SESSION_NEVER;
		if (!has_path(session))
			session->events |= PEER_SESSION_WANTS_RELAY;
	}
	if (session->upgrade_ns > now_ns)
		return;
	session->events |= PEER_SESSION_WANTS_INTRODUCTION;
	session->upgrade_ns = now_ns + session->upgrade_gap_ns;
	session->upgrade_gap_ns *= 2;
	if (session->upgrade_gap_ns > UPGRADE_MAX_NS)
		session->upgrade_gap_ns = UPGRADE_MAX_NS;
}

void session_plan_upgrade(struct peer_session *session, uint64_t now_ns)
{
	unsigned int class = session->selected != SESSION_NONE
				     ? session_class(&session->remote[session->selected])
				     : 0;

	if (class <= (session->options.no_udp ? 1U : 0U) || !session->initiator ||
	    session->options.relay == PEER_SESSION_RELAY_ONLY) {
		session->upgrade_ns = SESSION_NEVER;
	} else if (session->upgrade_ns == SESSION_NEVER) {
		session->upgrade_gap_ns = UPGRADE_MIN_NS;
		session->upgrade_ns = now_ns + UPGRADE_MIN_NS;
	}
}

void session_hasten_upgrade(struct peer_session *session, uint64_t now_ns)
{
	if (session->upgrade_ns == SESSION_NEVER)
		return;
	session->upgrade_gap_ns = UPGRADE_MIN_NS;
	/* the registration must be updated first */
	session->upgrade_ns = now_ns + UPGRADE_CHANGED_NS;
}

bool peer_session_set_relay(struct peer_session *session,
			    const uint8_t id[SLUICE_RENDEZVOUS_SESSION_ID_SIZE],
			    const struct stun_endpoint *at, uint64_t now_ns)
{
	unsigned int keys;
	int i = SESSION_NONE;

	for (keys = 0; keys < SESSION_KEYS; keys++)
		if (session->keys[keys].used && !memcmp(session->keys[keys].introduction.id, id,
							SLUICE_RENDEZVOUS_SESSION_ID_SIZE))
			break;
	if (keys == SESSION_KEYS || session->state == PEER_SESSION_FAILED)
		return false;
	i = session_find_remote(session, at, keys);
	if (i == SESSION_NONE)
		i = session_add_remote(session, at, keys);
	if (i == SESSION_NONE)
		return false;
	/* the search through the relay starts later than the search of the introduction */
	if (session->give_up_ns != SESSION_NEVER &&
	    session->give_up_ns < now_ns + PEER_SESSION_PUNCH_NS)
		session->give_up_ns = now_ns + PEER_SESSION_PUNCH_NS;
	session->remote[i].reason = PEER_SESSION_REASON_NONE;
	session_search_remote(session, (unsigned int)i, now_ns);
	/* before addresses that have been silent for half a second */
	session->checks[i].urgent = true;
	session->checks[i].due_ns = now_ns;
	return true;
}

void peer_session_connected(struct peer_session *session, const struct stun_endpoint *at,
			    uint64_t now_ns)
{
	unsigned int i;

	for (i = 0; i < session->remotes; i++)
		if (stun_endpoint_is_same(&session->remote[i].at, at) &&
		    ((int)i == session->selected || session->checks[i].budget)) {
			session->checks[i].urgent = true;
			session->checks[i].due_ns = now_ns;
		}
}

void peer_session_lose(struct peer_session *session, const struct stun_endpoint *at,
		       uint64_t now_ns)
{
	struct peer_session_remote *remote;
	unsigned int i;

	for (i = 0; i < session->remotes; i++) {
		remote = &session->remote[i];
		if (!stun_endpoint_is_same(&remote->at, at))
			continue;
		remote->answered = false;
		remote->full = false;
		remote->reason = PEER_SESSION_REASON_LOST;
		session->checks[i].budget = 0;
		session->checks[i].urgent = false;
		if ((int)i != session->selected)
			continue;
		session_select(session, now_ns);
		if (session->selected == SESSION_NONE)
			session_recover(session, now_ns);
	}
}
