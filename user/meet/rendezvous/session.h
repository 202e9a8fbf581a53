/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sessions: one peer connects to another. A connect request creates a session, and the other peer's
 * answer makes it introduced. It expires a minute later, or ends with either registration.
 */
#ifndef SLUICE_MEET_RENDEZVOUS_SESSION_H
#define SLUICE_MEET_RENDEZVOUS_SESSION_H

#include "meet/rendezvous/store.h"

#define SESSION_LIFE_S 60
#define SESSIONS_PEER  16    /* begun by a peer; sessions that others begin do not count */
#define SESSIONS_MAX   65536 /* in all: 12 megabytes */

struct session {
	UT_hash_handle hh; /* keyed by the first 12 bytes of the id */
	struct timer timer;
	/* the introduction's transaction id, and 4 bytes */
	uint8_t id[SLUICE_RENDEZVOUS_SESSION_ID_SIZE];
	struct registration *peer[SESSION_SIDES];
	struct session *next[SESSION_SIDES],
		**link[SESSION_SIDES];		  /* links in the list of each peer */
	uint8_t transaction[SLUICE_STUN_ID_SIZE]; /* of the connect request */
	uint8_t ephemeral[SESSION_SIDES][KEY_SIZE];
	uint8_t repeats; /* of that request */
	bool introduced;
	bool reported[SESSION_SIDES];
};

struct sessions {
	struct session *by_id;
	struct timer_wheel wheel;
};

void sessions_init(struct sessions *sessions, uint64_t now_ns);
/*
 * Adds a session between two registrations. It replaces an earlier session from @from to @to, so
 * that a single peer cannot fill the table. Returns the session, or NULL with errno set: EDQUOT at
 * a limit of @from or of the table, ENOMEM, or EIO.
 */
struct session *session_add(struct sessions *sessions, struct registration *from,
			    struct registration *to, uint64_t now_ns);
void session_remove(struct sessions *sessions, struct session *session);
/* Finds a session by the first 12 bytes of its id. */
struct session *session_find(const struct sessions *sessions, const uint8_t *id);
/* Finds the session that a connect request with this transaction id has created. */
struct session *session_of_request(struct registration *from,
				   const uint8_t transaction[SLUICE_STUN_ID_SIZE]);
/* Returns the side of a registration that takes part. */
enum session_side session_side(const struct session *session,
			       const struct registration *registration);
/* Removes the sessions of a registration, before it is freed. */
void sessions_of_end(struct sessions *sessions, struct registration *registration);
void sessions_expire(struct sessions *sessions, uint64_t now_ns);
void sessions_free(struct sessions *sessions);

#endif
