// SPDX-License-Identifier: GPL-2.0-or-later
/* Handles the checks of the other peer, and the responses to the session's own checks. */
#include "base/rate.h"
#include "meet/peer/relay.h"
#include "meet/peer/session.h"
#include "meet/peer/session_state.h"

/* An authentic check triggers a check in return, unless a check was sent within TRIGGER_NS. */
#define TRIGGER_NS     100000000ULL
#define TRIGGER_BUDGET 6
/*
 * Limits triggered checks that bypass pacing to a burst of 10 and to 10 per second, so that neither
 * peer can make the other send a flood. Further checks are paced.
 */
#define TRIGGER_GAP_NS	 100000000ULL
#define TRIGGER_BURST_NS (10 * TRIGGER_GAP_NS)

bool peer_session_owns(const struct peer_session *session, const struct stun_message *message)
{
	unsigned int sent;

	return session_keys_of(session, message) != SESSION_NONE ||
	       session_remote_of(session, message, &sent) != SESSION_NONE;
}

/* Checks the source address of an authentic message, if a check is useful. */
static void on_heard(struct peer_session *session, const struct stun_endpoint *from,
		     unsigned int keys, uint64_t now_ns)
{
	struct session_checks *checks;
	int i = session_find_remote(session, from, keys);

	if (i == SESSION_NONE)
		i = session_add_remote(session, from, keys);
	if (i == SESSION_NONE)
		return;
	checks = &session->checks[i];
	session->remote[i].heard = true;
	if (session_is_barred(&session->remote[i]) ||
	    /* if the checks of both peers cross, each check would trigger another one */
	    (session->remote[i].answered && session->remote[i].full &&
	     checks->tries < SESSION_TRIES_DOUBT) ||
	    (checks->last_ns && now_ns - checks->last_ns < TRIGGER_NS &&
	     (checks->last_full || session->remote[i].full)))
		return;
	if (checks->budget < TRIGGER_BUDGET)
		checks->budget = TRIGGER_BUDGET;
	session->remote[i].reason = PEER_SESSION_REASON_NONE;
	checks->due_ns = now_ns;
	checks->urgent = rate_take(&session->trigger_ns, TRIGGER_GAP_NS, TRIGGER_BURST_NS, now_ns);
}

/* Returns true if the address can be the other peer's. Only the caller creates relay addresses. */
static bool is_possible(const struct stun_endpoint *from)
{
	return relay_is_endpoint(from) || session_is_possible(from);
}

static bool on_check(struct peer_session *session, const struct stun_endpoint *from,
		     const struct stun_message *message, unsigned int keys, uint64_t now_ns)
{
	/* a peer may forge the source address of its checks to direct the responses at a victim */
	if (!is_possible(from) || !session_accept_check(&session->keys[keys], message)) {
		session->stats.rejected++;
		return false;
	}
	session->stats.checks_received++;
	session_queue_response(session, from, keys, message);
	/* the other peer has started */
	if (keys == session->latest && session->start_ns != SESSION_NEVER)
		session_begin_search(session, now_ns);
	session_take_predicted(session, from, message, keys, now_ns);
	on_heard(session, from, keys, now_ns);
	return true;
}

/* RFC 6298, section 2 */
static void measure(struct peer_session_remote *remote, uint64_t rtt_ns)
{
	remote->rtt_ns = remote->rtt_ns ? (7 * remote->rtt_ns + rtt_ns) / 8 : rtt_ns;
}

/* @full: the check had full size; @full_before: number of full-size checks up to this check. */
static void on_answered(struct peer_session *session, unsigned int i, bool full,
			unsigned int full_before, uint64_t now_ns)
{
	struct peer_session_remote *remote = &session->remote[i];
	struct session_checks *checks = &session->checks[i];
	bool news = !remote->answered;

	remote->answered = true;
	remote->full |= full;
	remote->answers++;
	session->stats.checks_answered++;
	checks->tries = 0;
	remote->reason = PEER_SESSION_REASON_NONE;
	/* responses to later checks may still be in flight */
	if (!remote->full && full_before >= SESSION_TRIES_FULL &&
	    checks->full >= SESSION_TRIES_FULL) {
		remote->reason = PEER_SESSION_REASON_TOO_BIG;
		remote->answered = false;
		checks->budget = 0;
	} else if (!remote->full) {
		checks->due_ns = checks->last_full ? checks->last_ns + SESSION_RTO_MIN_NS : now_ns;
		checks->urgent = !checks->last_full;
	}
	/* the other peer may have moved: check whether the selected address is still valid */
	if (news && session->selected != SESSION_NONE && (int)i != session->selected &&
	    !session->checks[session->selected].tries) {
		session->checks[session->selected].urgent = true;
		session->checks[session->selected].due_ns = now_ns;
	}
	session_select(session, now_ns);
	if (session->selected != (int)i)
		return;
	session->unheard_ns = SESSION_NEVER;
	if (!remote->full)
		return;
	session_end_doubt(session);
	session->state = PEER_SESSION_UP;
	session->give_up_ns = SESSION_NEVER;
	session->ask_ns = SESSION_NEVER;
	session_mtu_begin(session, now_ns);
}

static bool on_response(struct peer_session *session, const struct stun_endpoint *from,
			const struct stun_message *message, unsigned int i, unsigned int sent,
			uint64_t now_ns)
{
	struct session_checks *checks = &session->checks[i];

	if (!is_possible(from) ||
	    stun_check_sha256(message, session->keys[checks->keys].secret.own_checks,
			      PEER_SECRET_SIZE)) {
		session->stats.rejected++;
		return false;
	}
	checks->sent[sent].used = false;
	if (!stun_endpoint_is_same(from, &session->remote[i].at)) {
		/*
		 * RFC 8445, section 7.2.5.2.1: addresses not symmetric, for example behind a NAT
		 * that maps by address
		 */
		on_heard(session, from, checks->keys, now_ns);
		return true;
	}
	measure(&session->remote[i], now_ns - checks->sent[sent].at_ns);
	stun_get_xor_address(message, SLUICE_STUN_XOR_MAPPED_ADDRESS, &session->remote[i].mapped);
	session->remote[i].consent_ns = checks->sent[sent].at_ns;
	on_answered(session, i, message->length >= PEER_SESSION_FULL_SIZE, checks->sent[sent].full,
		    now_ns);
	if (checks->sent[sent].probe && session->selected == (int)i)
		session_mtu_answered(session, checks->sent[sent].probe, now_ns);
	return true;
}

bool peer_session_receive(struct peer_session *session, const struct stun_endpoint *from,
			  const struct stun_message *message, uint64_t now_ns)
{
	unsigned int sent, keys;
	bool taken;
	int found;

	if (session->state == PEER_SESSION_FAILED || session_is_disabled(session, from))
		return false;
	found = session_keys_of(session, message);
	if (found != SESSION_NONE) {
		keys = (unsigned int)found;
		taken = on_check(session, from, message, keys, now_ns);
	} else {
		found = session_remote_of(session, message, &sent);
		if (found == SESSION_NONE)
			return false;
		keys = session->checks[found].keys;
		taken = on_response(session, from, message, (unsigned int)found, sent, now_ns);
	}
	/* the other peer has the latest introduction too */
	if (taken && keys == session->latest)
		session->current = keys;
	return taken;
}
