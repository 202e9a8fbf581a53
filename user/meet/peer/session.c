// SPDX-License-Identifier: GPL-2.0-or-later
#include "meet/peer/session.h"

#include "base/keepalive.h"
#include "base/rate.h"
#include "meet/peer/session_state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MS_NS	  1000000ULL
#define SECOND_NS 1000000000ULL

/* RFC 8445, section 14.2: Ta */
#define PACE_NS		  (50 * MS_NS)
#define SEARCH_COST_NS	  (SECOND_NS / PEER_SESSION_SEARCHES)
#define SEARCHES_BURST_NS SECOND_NS
/*
 * RFC 7675, section 5.1: while there is traffic, send a check every 5 seconds, times 0.8 to 1.2,
 * and stop sending after 30 seconds without an answer. An idle path needs only keepalives: the
 * first traffic after a pause triggers a check.
 */
#define CONSENT_MIN_NS	  (4 * SECOND_NS)
#define CONSENT_JITTER_NS (2 * SECOND_NS)
#define UNANSWERED_NS	  (24 * SECOND_NS)
/* If traffic gets no answer for this time, the path is checked. */
#define UNHEARD_NS (1 * SECOND_NS)

#define RTO_SLACK_NS   (20 * MS_NS)
#define RTO_INITIAL_NS (250 * MS_NS)
#define RTO_MAX_NS     (1 * SECOND_NS)
#define RTO_LOST_NS    (2 * SECOND_NS)
#define ASK_MIN_NS     (5 * SECOND_NS)
/* An attempt does not fail if the selected address has answered within this time. */
#define ANSWERED_NS (5 * SECOND_NS)
#define ASK_MAX_NS  (20 * SECOND_NS)

/* --- life */

static void draw_times(struct peer_session *session)
{
	uint16_t random[2];

	session->options.random(random, sizeof(random), session->options.arg);
	session->random = random[0];
	session->consent_gap_ns = CONSENT_MIN_NS + (CONSENT_JITTER_NS * random[1] >> 16);
}

/* Replaces the introduction that is not in use. */
static int take_introduction(struct peer_session *session, unsigned int slot,
			     const struct introduction *introduction, uint64_t now_ns)
{
	struct session_keys *keys = &session->keys[slot];
	struct peer_secret secret;

	if (peer_secret_derive(&secret, session->options.secret, introduction))
		return -EINVAL;
	*keys = (struct session_keys){ .used = true, .introduction = *introduction };
	keys->secret = secret;
	explicit_bzero(&secret, sizeof(secret));
	/* the secrets are derived */
	explicit_bzero(keys->introduction.ephemeral_secret, KEY_SIZE);
	session->latest = slot;
	session_take_candidates(session, slot);
	session->introduced_ns = now_ns;
	session->start_ns = introduction->start_ns > now_ns ? introduction->start_ns : now_ns;
	session->pace_ns = session->start_ns;
	session_plan_relay(session);
	if (session->selected == SESSION_NONE)
		session->state = PEER_SESSION_WAITING;
	if (session->give_up_ns != SESSION_NEVER || session->selected == SESSION_NONE)
		if (session->give_up_ns == SESSION_NEVER ||
		    session->give_up_ns < session->start_ns + PEER_SESSION_PUNCH_NS)
			session->give_up_ns = session->start_ns + PEER_SESSION_PUNCH_NS;
	return 0;
}

int peer_session_new(struct peer_session **session, const struct peer_session_options *options,
		     const struct introduction *introduction, uint64_t now_ns)
{
	struct peer_session *fresh = calloc(1, sizeof(*fresh));

	if (!fresh)
		return -ENOMEM;
	fresh->options = *options;
	peer_session_set_interval(fresh, options->interval_ns);
	fresh->initiator = introduction->initiator;
	fresh->selected = SESSION_NONE;
	fresh->give_up_ns = SESSION_NEVER;
	fresh->ask_ns = SESSION_NEVER;
	fresh->upgrade_ns = SESSION_NEVER;
	fresh->unheard_ns = SESSION_NEVER;
	if (take_introduction(fresh, 0, introduction, now_ns)) {
		peer_session_free(fresh);
		return -EINVAL;
	}
	draw_times(fresh);
	*session = fresh;
	return 0;
}

void peer_session_free(struct peer_session *session)
{
	if (session)
		explicit_bzero(session, sizeof(*session));
	free(session);
}

void session_check_selected(struct peer_session *session, uint64_t now_ns)
{
	if (session->selected == SESSION_NONE)
		return;
	session->checks[session->selected].urgent = true;
	session->checks[session->selected].due_ns = now_ns;
}

int peer_session_introduce(struct peer_session *session, const struct introduction *introduction,
			   uint64_t now_ns)
{
	int result;

	/* keep the keys of the current path until a path with new keys is better */
	if (session->selected != SESSION_NONE)
		session->current = session->checks[session->selected].keys;
	result = take_introduction(session, !session->current, introduction, now_ns);
	if (result)
		return result;
	session->stats.repunches++;
	/* the other peer may have requested the introduction because its path is lost */
	session_check_selected(session, now_ns);
	if (session->ask_ns != SESSION_NEVER)
		session->ask_ns = now_ns + session->ask_gap_ns;
	return 0;
}

/* --- deadlines */

/* Returns the gap before the next check of an address in a search, after @tries checks. */
static uint64_t search_gap_ns(unsigned int tries)
{
	if (tries < 6)
		return 100 * MS_NS;
	if (tries < 12)
		return 250 * MS_NS;
	return tries < 18 ? 500 * MS_NS : SECOND_NS;
}

uint64_t session_rto_ns(const struct peer_session_remote *remote, unsigned int tries)
{
	uint64_t rto = remote->rtt_ns ? 2 * remote->rtt_ns + RTO_SLACK_NS : RTO_INITIAL_NS;

	if (tries > SESSION_TRIES_LOST && remote->full)
		return RTO_LOST_NS;
	if (rto < SESSION_RTO_MIN_NS)
		return SESSION_RTO_MIN_NS;
	return rto < RTO_MAX_NS ? rto : RTO_MAX_NS;
}

static uint64_t earlier(uint64_t a_ns, uint64_t b_ns)
{
	return a_ns < b_ns ? a_ns : b_ns;
}

/* Returns true if traffic was sent since the last check of the selected address. */
static bool is_active(const struct peer_session *session)
{
	return session->data_ns > session->checks[session->selected].last_ns;
}

/* Returns the time of the next check of a healthy selected address. */
static uint64_t consent_due_ns(const struct peer_session *session)
{
	const struct session_checks *checks = &session->checks[session->selected];
	uint64_t due_ns = keepalive_due_ns(session->out_ns, session->options.interval_ns,
					   session->random);

	if (is_active(session))
		due_ns = earlier(due_ns, checks->last_ns + session->consent_gap_ns);
	if (session->unheard_ns != SESSION_NEVER)
		due_ns = earlier(due_ns, session->unheard_ns + UNHEARD_NS);
	return due_ns;
}

/* Returns the time of the next check of an address. */
static uint64_t check_due_ns(const struct peer_session *session, unsigned int i)
{
	const struct peer_session_remote *remote = &session->remote[i];
	const struct session_checks *checks = &session->checks[i];

	if (session_is_barred(remote) || session->state == PEER_SESSION_WAITING ||
	    session->state == PEER_SESSION_FAILED)
		return SESSION_NEVER;
	if (checks->urgent)
		return checks->due_ns;
	if ((int)i == session->selected)
		return checks->tries || !remote->full ? checks->due_ns : consent_due_ns(session);
	if (!checks->budget || !session_is_wanted(session, i) || (remote->answered && remote->full))
		return SESSION_NEVER;
	return checks->due_ns;
}

/* Returns true if checks of this address are subject to pacing. */
static bool is_paced(const struct peer_session *session, unsigned int i)
{
	return !session->checks[i].urgent && (int)i != session->selected;
}

/* Returns the time at which the consent of the selected address expires. */
static uint64_t lost_ns(const struct peer_session *session)
{
	const struct session_checks *checks;

	if (session->selected == SESSION_NONE)
		return SESSION_NEVER;
	checks = &session->checks[session->selected];
	return checks->tries ? checks->unanswered_ns + UNANSWERED_NS : SESSION_NEVER;
}

/* Returns the earliest time of the next paced check. */
static uint64_t turn_ns(const struct peer_session *session)
{
	const uint64_t *full_ns = session->options.searches_full_ns;
	uint64_t common_ns = full_ns ? *full_ns + SEARCH_COST_NS : 0;

	if (common_ns < session->pace_ns + SEARCHES_BURST_NS)
		return session->pace_ns;
	return common_ns - SEARCHES_BURST_NS;
}

uint64_t peer_session_due_ns(const struct peer_session *session)
{
	uint64_t due_ns, check_ns;
	unsigned int i;

	if (session->state == PEER_SESSION_FAILED)
		return SESSION_NEVER;
	if (session->responses)
		return 0;
	due_ns = earlier(session->give_up_ns, session->ask_ns);
	due_ns = earlier(due_ns, session_relay_due_ns(session));
	due_ns = earlier(due_ns, session_mtu_due_ns(session));
	if (session->start_ns != SESSION_NEVER)
		due_ns = earlier(due_ns, session->start_ns);
	due_ns = earlier(due_ns, lost_ns(session));
	for (i = 0; i < session->remotes; i++) {
		check_ns = check_due_ns(session, i);
		if (is_paced(session, i) && check_ns < turn_ns(session))
			check_ns = turn_ns(session);
		due_ns = earlier(due_ns, check_ns);
	}
	return due_ns;
}

static void ask(struct peer_session *session, uint64_t now_ns)
{
	session->events |= PEER_SESSION_WANTS_INTRODUCTION;
	session->ask_ns = now_ns + session->ask_gap_ns;
	session->ask_gap_ns = earlier(2 * session->ask_gap_ns, ASK_MAX_NS);
}

void session_recover(struct peer_session *session, uint64_t now_ns)
{
	session->events |= PEER_SESSION_WANTS_REFRESH;
	if (session->give_up_ns == SESSION_NEVER)
		session->give_up_ns = now_ns + PEER_SESSION_GIVE_UP_NS;
	if (session->initiator && session->ask_ns == SESSION_NEVER) {
		session->ask_gap_ns = ASK_MIN_NS;
		ask(session, now_ns);
	}
	session_search(session, now_ns);
	session->doubting = true;
}

static void fail(struct peer_session *session)
{
	unsigned int i;

	if (session->selected != SESSION_NONE) {
		session->remote[session->selected].selected = false;
		session->selected = SESSION_NONE;
		session->events |= PEER_SESSION_PATH_CHANGED;
	}
	for (i = 0; i < session->remotes; i++)
		if (!session->remote[i].answered &&
		    session->remote[i].reason == PEER_SESSION_REASON_NONE)
			session->remote[i].reason = PEER_SESSION_REASON_SILENT;
	/* a later introduction may revive the session */
	session->relay_ns = session->upgrade_ns = SESSION_NEVER;
	session->state = PEER_SESSION_FAILED;
	session->events |= PEER_SESSION_ENDED;
}

void peer_session_timeout(struct peer_session *session, uint64_t now_ns)
{
	if (session->state == PEER_SESSION_FAILED)
		return;
	if (session->start_ns <= now_ns)
		session_begin_search(session, now_ns);
	if (lost_ns(session) <= now_ns) {
		session->stats.consents_lost++;
		session->remote[session->selected].answered = false;
		session->remote[session->selected].full = false;
		session->remote[session->selected].reason = PEER_SESSION_REASON_LOST;
		session_select(session, now_ns);
	}
	if (session->ask_ns <= now_ns)
		ask(session, now_ns);
	session_relay_timeout(session, now_ns);
	session_mtu_timeout(session, now_ns);
	if (session->give_up_ns > now_ns)
		return;
	/* short checks pass; with heavy loss, the first full-size answer may take longer */
	if (session->selected != SESSION_NONE && session->state != PEER_SESSION_UP &&
	    now_ns - session->remote[session->selected].consent_ns < ANSWERED_NS)
		session->give_up_ns = now_ns + ANSWERED_NS;
	else
		fail(session);
}

/* --- out */

static void count_check(struct peer_session *session, unsigned int i, uint64_t now_ns)
{
	struct session_checks *checks = &session->checks[i];

	if ((int)i != session->selected)
		return;
	if (session->remote[i].full && !checks->tries && !is_active(session)) {
		session->stats.keepalives_sent++;
		session->saved_ns = now_ns;
	}
	session->out_ns = now_ns;
}

static size_t send_check(struct peer_session *session, unsigned int i, uint8_t *buffer,
			 uint64_t now_ns)
{
	struct session_checks *checks = &session->checks[i];
	bool selected = (int)i == session->selected;
	uint16_t probe = 0;
	size_t length;

	if (selected && !checks->tries && is_active(session))
		probe = session_mtu_consent(session, now_ns);
	count_check(session, i, now_ns);
	length = probe ? session_put_probe(session, i, probe, buffer, now_ns)
		       : session_put_check(session, i, buffer, now_ns);
	if (!checks->tries++)
		checks->unanswered_ns = now_ns;
	checks->last_ns = now_ns;
	if (!checks->urgent)
		session->pace_ns = now_ns + PACE_NS;
	if (is_paced(session, i) && session->options.searches_full_ns)
		rate_take(session->options.searches_full_ns, SEARCH_COST_NS, SEARCHES_BURST_NS,
			  now_ns);
	checks->urgent = false;
	checks->due_ns = now_ns + (selected ? session_rto_ns(&session->remote[i], checks->tries)
					    : search_gap_ns(checks->tries));
	if (selected) {
		draw_times(session);
		if (checks->tries == SESSION_TRIES_DOUBT) {
			session_search(session, now_ns);
			session->doubting = true;
			session_select(session, now_ns);
		}
		if (checks->tries == SESSION_TRIES_LOST && session->state == PEER_SESSION_UP)
			session_recover(session, now_ns);
	} else if (checks->budget && !--checks->budget && !session->remote[i].answered) {
		session->remote[i].reason = PEER_SESSION_REASON_SILENT;
	}
	return length;
}

size_t peer_session_send(struct peer_session *session, uint8_t buffer[PEER_SESSION_DATAGRAM_MAX],
			 struct stun_endpoint *to, uint64_t now_ns)
{
	uint64_t due_ns, first_ns = SESSION_NEVER;
	size_t length;
	unsigned int i;
	int first = SESSION_NONE;

	if (session->responses) {
		length = session_put_response(session, buffer, to);
		if (session->selected != SESSION_NONE &&
		    stun_endpoint_is_same(to, &session->remote[session->selected].at))
			session->out_ns = now_ns;
		return length;
	}
	/* pick the check that is overdue longest, so that no address starves */
	for (i = 0; i < session->remotes; i++) {
		due_ns = check_due_ns(session, i);
		if (is_paced(session, i) && turn_ns(session) > now_ns)
			continue;
		if (due_ns < first_ns) {
			first_ns = due_ns;
			first = (int)i;
		}
	}
	if (first_ns > now_ns)
		return session_mtu_send(session, buffer, to, now_ns);
	*to = session->remote[first].at;
	return send_check(session, (unsigned int)first, buffer, now_ns);
}

unsigned int peer_session_events(struct peer_session *session)
{
	unsigned int events = session->events;

	session->events = 0;
	return events;
}

/* --- other traffic, and accessors */

const struct peer_session_remote *peer_session_path(const struct peer_session *session)
{
	return session->selected == SESSION_NONE ? NULL : &session->remote[session->selected];
}

bool peer_session_knows(const struct peer_session *session, const struct stun_endpoint *from)
{
	unsigned int i;

	for (i = 0; i < session->remotes; i++)
		if ((session->remote[i].heard || session->remote[i].answered) &&
		    stun_endpoint_is_same(&session->remote[i].at, from))
			return true;
	return false;
}

void peer_session_sent(struct peer_session *session, uint64_t now_ns)
{
	session->data_ns = now_ns;
	session->out_ns = now_ns;
	if (session->unheard_ns == SESSION_NEVER)
		session->unheard_ns = now_ns;
	if (now_ns - session->saved_ns >= session->options.interval_ns) {
		session->stats.keepalives_saved++;
		session->saved_ns = now_ns;
	}
}

void peer_session_test(struct peer_session *session, uint64_t now_ns)
{
	session_check_selected(session, now_ns);
}

void peer_session_set_interval(struct peer_session *session, uint64_t interval_ns)
{
	session->options.interval_ns = interval_ns ? interval_ns : PEER_SESSION_INTERVAL_NS;
}

void peer_session_heard(struct peer_session *session, const struct stun_endpoint *from)
{
	/* traffic from another address does not prove that the selected address is reachable */
	if (session->selected != SESSION_NONE &&
	    stun_endpoint_is_same(&session->remote[session->selected].at, from))
		session->unheard_ns = SESSION_NEVER;
}

void peer_session_network_changed(struct peer_session *session, uint64_t now_ns)
{
	session_mtu_reset(session);
	session_search(session, now_ns);
	session_hasten_upgrade(session, now_ns);
	session_check_selected(session, now_ns);
}

enum peer_session_state peer_session_state(const struct peer_session *session)
{
	return session->state;
}

const struct peer_secret *peer_session_secret(const struct peer_session *session)
{
	return &session->keys[session->latest].secret;
}

const struct introduction *peer_session_introduction(const struct peer_session *session)
{
	return &session->keys[session->latest].introduction;
}

const struct peer_session_remote *peer_session_remotes(const struct peer_session *session,
						       unsigned int *count)
{
	*count = session->remotes;
	return session->remote;
}

const struct peer_session_stats *peer_session_stats(const struct peer_session *session)
{
	return &session->stats;
}
