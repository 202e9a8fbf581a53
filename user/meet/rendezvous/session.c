// SPDX-License-Identifier: GPL-2.0-or-later
#include "meet/rendezvous/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define TICK_NS 1000000000ULL

void sessions_init(struct sessions *sessions, uint64_t now_ns)
{
	sessions->by_id = NULL;
	timer_wheel_init(&sessions->wheel, now_ns, TICK_NS);
}

/* Adds the session to the list of the peer on side @side. */
static void link_to(struct session *session, int side)
{
	struct session **first = &session->peer[side]->sessions[side];

	session->link[side] = first;
	session->next[side] = *first;
	if (*first)
		(*first)->link[side] = &session->next[side];
	*first = session;
}

static void unlink_from(struct session *session, int side)
{
	*session->link[side] = session->next[side];
	if (session->next[side])
		session->next[side]->link[side] = session->link[side];
}

struct session *session_add(struct sessions *sessions, struct registration *from,
			    struct registration *to, uint64_t now_ns)
{
	struct session *session = from->sessions[SESSION_FROM];
	int side;

	while (session && session->peer[SESSION_TO] != to)
		session = session->next[SESSION_FROM];
	if (session)
		session_remove(sessions, session);
	if (from->sessions_begun >= SESSIONS_PEER || HASH_COUNT(sessions->by_id) >= SESSIONS_MAX) {
		errno = EDQUOT;
		return NULL;
	}
	session = calloc(1, sizeof(*session));
	if (!session)
		return NULL;
	if (getrandom(session->id, sizeof(session->id), 0) != sizeof(session->id)) {
		free(session);
		errno = EIO;
		return NULL;
	}
	HASH_ADD(hh, sessions->by_id, id, SLUICE_STUN_ID_SIZE, session);
	if (!session->hh.tbl) {
		free(session);
		errno = ENOMEM;
		return NULL;
	}
	session->peer[SESSION_FROM] = from;
	session->peer[SESSION_TO] = to;
	for (side = 0; side < SESSION_SIDES; side++)
		link_to(session, side);
	from->sessions_begun++;
	timer_wheel_set(&sessions->wheel, &session->timer, now_ns + (SESSION_LIFE_S + 1) * TICK_NS);
	return session;
}

enum session_side session_side(const struct session *session,
			       const struct registration *registration)
{
	return session->peer[SESSION_FROM] == registration ? SESSION_FROM : SESSION_TO;
}

void session_remove(struct sessions *sessions, struct session *session)
{
	int side;

	for (side = 0; side < SESSION_SIDES; side++)
		unlink_from(session, side);
	session->peer[SESSION_FROM]->sessions_begun--;
	timer_wheel_remove(&sessions->wheel, &session->timer);
	HASH_DEL(sessions->by_id, session);
	free(session);
}

struct session *session_find(const struct sessions *sessions, const uint8_t *id)
{
	struct session *session;

	HASH_FIND(hh, sessions->by_id, id, SLUICE_STUN_ID_SIZE, session);
	return session;
}

struct session *session_of_request(struct registration *from,
				   const uint8_t transaction[SLUICE_STUN_ID_SIZE])
{
	struct session *session = from->sessions[SESSION_FROM];

	while (session && memcmp(session->transaction, transaction, SLUICE_STUN_ID_SIZE))
		session = session->next[SESSION_FROM];
	return session;
}

void sessions_of_end(struct sessions *sessions, struct registration *registration)
{
	int side;

	for (side = 0; side < SESSION_SIDES; side++)
		while (registration->sessions[side])
			session_remove(sessions, registration->sessions[side]);
}

static void on_expired(struct timer *timer, void *arg)
{
	session_remove(arg, (struct session *)((char *)timer - offsetof(struct session, timer)));
}

void sessions_expire(struct sessions *sessions, uint64_t now_ns)
{
	timer_wheel_expire(&sessions->wheel, now_ns, on_expired, sessions);
}

void sessions_free(struct sessions *sessions)
{
	while (sessions->by_id)
		session_remove(sessions, sessions->by_id);
}
