/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sessions: one peer wants to connect to another. A session begins with a connect request, becomes
 * introduced with the answer of the other peer, and ends a minute later, or with either
 * registration.
 */
#ifndef SLUICE_MEET_RENDEZVOUS_SESSION_H
#define SLUICE_MEET_RENDEZVOUS_SESSION_H

#include "meet/rendezvous/store.h"

#define SESSION_ID_SIZE 16
#define SESSION_LIFE_S	60
#define SESSIONS_PEER	16    /* that a peer may begin: those of others with it do not count */
#define SESSIONS_MAX	65536 /* in all: 12 megabytes */

struct session {
	UT_hash_handle hh; /* by the first 12 bytes of the id */
	struct timer timer;
	uint8_t id[SESSION_ID_SIZE]; /* its start is the transaction id of the introduction */
	struct registration *peer[SESSION_SIDES];
	struct session *next[SESSION_SIDES], **link[SESSION_SIDES]; /* in the list of that peer */
	uint8_t transaction[SLUICE_STUN_ID_SIZE];		    /* of the connect request */
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
 * Adds a session between two registrations, in place of an earlier one from the same to the same,
 * so that a single peer cannot fill the table. Returns it, or NULL with errno set: EDQUOT if @from
 * has begun as many as it may, or the table has no room, ENOMEM or EIO.
 */
struct session *session_add(struct sessions *sessions, struct registration *from,
			    struct registration *to, uint64_t now_ns);
void session_remove(struct sessions *sessions, struct session *session);
/* Finds a session by the first 12 bytes of its id. */
struct session *session_find(const struct sessions *sessions, const uint8_t *id);
/* Finds the session that this request of a peer has begun. */
struct session *session_of_request(struct registration *from,
				   const uint8_t transaction[SLUICE_STUN_ID_SIZE]);
/* The side of a registration that takes part. */
enum session_side session_side(const struct session *session,
			       const struct registration *registration);
/* Removes the sessions of a registration that ends. */
void sessions_of_end(struct sessions *sessions, struct registration *registration);
void sessions_expire(struct sessions *sessions, uint64_t now_ns);
void sessions_free(struct sessions *sessions);

#endif
