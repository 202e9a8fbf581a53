// SPDX-License-Identifier: GPL-2.0-or-later
/* Decides which addresses of the other peer are checked, and which address is used. */
#include "meet/peer/relay.h"
#include "meet/peer/session_state.h"
#include "meet/scope.h"

#include <arpa/inet.h>
#include <string.h>

/* Lower ports belong to services of third parties, hyperdht #296. */
#define PORT_MIN 1024
/* Checks per address in one search: ten seconds with the gaps of search_gap_ns(). */
#define BUDGET 24
/* RFC 7675, section 5.1; session.c expires the consent of the selected address. */
#define CONSENT_NS 30000000000ULL

const char *const peer_session_reasons[] = { "none", "scope",	 "silent", "too-big",
					     "lost", "disabled", NULL };
const char *const peer_session_remote_kinds[] = {
	"none", "host", "server-reflexive", "mapped", "peer-reflexive", "relayed", "predicted", NULL
};

bool session_is_possible(const struct stun_endpoint *at)
{
	return scope_of(&at->addr) != SCOPE_NONE && ntohs(at->port_be) >= PORT_MIN;
}

int session_find_remote(const struct peer_session *session, const struct stun_endpoint *at,
			unsigned int keys)
{
	unsigned int i;

	for (i = 0; i < session->remotes; i++)
		if (session->checks[i].keys == keys &&
		    stun_endpoint_is_same(&session->remote[i].at, at))
			return (int)i;
	return SESSION_NONE;
}

static void set_remote(struct peer_session *session, unsigned int i, const struct stun_endpoint *at,
		       unsigned int kind, unsigned int keys)
{
	session->remote[i] = (struct peer_session_remote){
		.at = *at,
		.kind = (uint8_t)kind,
		.private_scope = scope_of(&at->addr) == SCOPE_PRIVATE,
	};
	session->checks[i] = (struct session_checks){ .keys = keys, .due_ns = SESSION_NEVER };
}

int session_append_remote(struct peer_session *session, const struct stun_endpoint *at,
			  enum peer_session_remote_kind kind, unsigned int keys)
{
	unsigned int i = session->remotes;

	if (i == PEER_SESSION_REMOTES_MAX)
		return SESSION_NONE;
	set_remote(session, i, at, kind, keys);
	if (!session_is_possible(at))
		session->remote[i].reason = PEER_SESSION_REASON_SCOPE;
	else if (session_is_disabled(session, at))
		session->remote[i].reason = PEER_SESSION_REASON_DISABLED;
	session->remotes++;
	return (int)i;
}

bool session_is_disabled(const struct peer_session *session, const struct stun_endpoint *at)
{
	const struct peer_session_options *options = &session->options;

	return !relay_is_endpoint(at) && (options->relay == PEER_SESSION_RELAY_ONLY ||
					  (at->tcp ? options->no_tcp : options->no_udp));
}

bool session_is_barred(const struct peer_session_remote *remote)
{
	return remote->reason == PEER_SESSION_REASON_SCOPE ||
	       remote->reason == PEER_SESSION_REASON_DISABLED ||
	       /* a new binding gets a new channel */
	       (remote->kind == PEER_SESSION_REMOTE_RELAYED &&
		remote->reason == PEER_SESSION_REASON_LOST);
}

/*
 * If the table is full, a new address replaces an address that did not answer; the selected address
 * has answered. Between two NATs that map by port, each check comes from a new address, so the
 * table must be bounded. The relay always reaches the other peer, so it may also replace an address
 * that is still being checked.
 */
int session_add_remote(struct peer_session *session, const struct stun_endpoint *at,
		       unsigned int keys)
{
	bool relayed = relay_is_endpoint(at);
	unsigned int i = session->remotes;

	if (i == PEER_SESSION_REMOTES_MAX)
		for (i = 0; i < PEER_SESSION_REMOTES_MAX; i++)
			if (!session->remote[i].answered &&
			    (relayed || session->remote[i].reason != PEER_SESSION_REASON_NONE))
				break;
	if (i == PEER_SESSION_REMOTES_MAX)
		return SESSION_NONE;
	if (i == session->remotes)
		session->remotes++;
	set_remote(session, i, at,
		   relayed ? PEER_SESSION_REMOTE_RELAYED : PEER_SESSION_REMOTE_PEER_REFLEXIVE,
		   keys);
	return (int)i;
}

/*
 * Moves the selected address to index 0, and drops all other addresses, including those of an
 * unproved introduction.
 */
static void keep_selected(struct peer_session *session)
{
	if (session->selected == SESSION_NONE) {
		session->remotes = 0;
		return;
	}
	if (session->selected) {
		session->remote[0] = session->remote[session->selected];
		session->checks[0] = session->checks[session->selected];
	}
	session->remotes = 1;
	session->selected = 0;
}

static bool is_same_nat(const struct introduction *introduction)
{
	unsigned int i;

	for (i = 0; i < introduction->candidates; i++)
		if (introduction->candidate[i].kind == CANDIDATE_REFLEXIVE &&
		    IN6_ARE_ADDR_EQUAL(&introduction->candidate[i].at.addr,
				       &introduction->mapped.addr))
			return true;
	return false;
}

/* RFC 8445, section 5.1.2.2; mapped is what RFC 6544, section 4.2, calls NAT-assisted. */
static const uint8_t preference[] = { CANDIDATE_HOST, CANDIDATE_MAPPED, CANDIDATE_REFLEXIVE };
#define KINDS  (sizeof(preference) / sizeof(*preference))
#define PASSES (4 * KINDS)

/*
 * Addresses are checked in table order: private addresses first if both peers are behind the same
 * NAT, otherwise last; all TCP addresses after the UDP addresses.
 */
void session_take_candidates(struct peer_session *session, unsigned int keys)
{
	const struct introduction *introduction = &session->keys[keys].introduction;
	bool private_first = is_same_nat(introduction), is_private;
	const struct candidate *candidate;
	struct stun_endpoint at;
	unsigned int pass, i;

	keep_selected(session);
	for (pass = 0; pass < PASSES; pass++)
		for (i = 0; i < introduction->candidates; i++) {
			candidate = &introduction->candidate[i];
			at = candidate->at;
			at.tcp = candidate->transport == CANDIDATE_TCP;
			is_private = scope_of(&at.addr) == SCOPE_PRIVATE;
			if (at.tcp != (pass >= PASSES / 2) ||
			    candidate->kind != preference[pass % KINDS] ||
			    (is_private == private_first) != (pass / KINDS % 2 == 0) ||
			    session_find_remote(session, &at, keys) != SESSION_NONE)
				continue;
			session_append_remote(session, &at,
					      (enum peer_session_remote_kind)candidate->kind, keys);
		}
}

/* --- selection */

unsigned int session_class(const struct peer_session_remote *remote)
{
	return remote->kind == PEER_SESSION_REMOTE_RELAYED ? 2 : remote->at.tcp;
}

/* Returns the rank of an address, lower is better; UINT32_MAX: not usable. */
static unsigned int rank_of(const struct peer_session *session, unsigned int i, uint64_t now_ns)
{
	const struct peer_session_remote *remote = &session->remote[i];
	const struct session_checks *checks = &session->checks[i];

	if (!remote->answered ||
	    ((int)i != session->selected && now_ns - remote->consent_ns > CONSENT_NS))
		return UINT32_MAX;
	return (checks->tries >= SESSION_TRIES_DOUBT ? 32U : 0) + (remote->full ? 0 : 16U) +
	       4 * session_class(remote) + (remote->private_scope ? 0 : 2U) +
	       (checks->keys == session->latest ? 0 : 1U);
}

bool session_is_wanted(const struct peer_session *session, unsigned int i)
{
	const struct peer_session_remote *used, *other = &session->remote[i];

	if (session->selected == SESSION_NONE || (int)i == session->selected)
		return true;
	used = &session->remote[session->selected];
	return !used->full || session->checks[session->selected].tries >= SESSION_TRIES_DOUBT ||
	       session->checks[session->selected].keys != session->latest ||
	       session_class(other) < session_class(used) ||
	       (session_class(other) == session_class(used) && other->private_scope &&
		!used->private_scope);
}

void session_select(struct peer_session *session, uint64_t now_ns)
{
	unsigned int i, rank, best_rank = UINT32_MAX;
	int best = SESSION_NONE;

	if (session->selected != SESSION_NONE) {
		best = session->selected;
		best_rank = rank_of(session, (unsigned int)best, now_ns);
		if (best_rank == UINT32_MAX)
			best = SESSION_NONE;
	}
	for (i = 0; i < session->remotes; i++) {
		rank = rank_of(session, i, now_ns);
		if (rank < best_rank) {
			best = (int)i;
			best_rank = rank;
		}
	}
	if (best == session->selected)
		return;
	if (session->selected != SESSION_NONE)
		session->remote[session->selected].selected = false;
	session->selected = best;
	session_mtu_reset(session);
	session->events |= PEER_SESSION_PATH_CHANGED;
	session->stats.path_changes++;
	session_plan_upgrade(session, now_ns);
	if (best == SESSION_NONE) {
		session->state = PEER_SESSION_PUNCHING;
		return;
	}
	session->remote[best].selected = true;
	if (session->remote[best].full)
		session->state = PEER_SESSION_UP;
	session->out_ns = session->checks[best].last_ns;
	session->unheard_ns = SESSION_NEVER;
}

void session_search_remote(struct peer_session *session, unsigned int i, uint64_t now_ns)
{
	if (session_is_barred(&session->remote[i]))
		return;
	session->checks[i].budget = BUDGET;
	if ((int)i == session->selected)
		return;
	/* an earlier answer does not prove that the address still works */
	session->remote[i].reason = PEER_SESSION_REASON_NONE;
	session->remote[i].answered = false;
	session->remote[i].full = false;
	session->checks[i].full = 0;
	session->checks[i].tries = 0;
	session->checks[i].due_ns = now_ns;
}

void session_search(struct peer_session *session, uint64_t now_ns)
{
	unsigned int i;

	session->doubting = false;
	for (i = 0; i < session->remotes; i++)
		session_search_remote(session, i, now_ns);
}

void session_end_doubt(struct peer_session *session)
{
	unsigned int i;

	for (i = 0; i < session->remotes && session->doubting; i++) {
		if ((int)i == session->selected || !session->checks[i].budget)
			continue;
		session->checks[i].budget = 0;
		if (!session->remote[i].answered)
			session->remote[i].reason = PEER_SESSION_REASON_SILENT;
	}
	session->doubting = false;
}

void session_begin_search(struct peer_session *session, uint64_t now_ns)
{
	session->start_ns = SESSION_NEVER;
	if (session->state == PEER_SESSION_WAITING)
		session->state = PEER_SESSION_PUNCHING;
	session_search(session, now_ns);
}
