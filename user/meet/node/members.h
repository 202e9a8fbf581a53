/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The members of the pool: further TCP connections to a peer whose path is TCP. The connecting peer
 * borrows them (pool.c decides when), the exposing peer accepts them. peer/member.h describes how
 * they are introduced.
 *
 *   learn the address of a new port ── request ── answer ── session, QUIC ── idle, lent, …
 */
#ifndef SLUICE_MEET_NODE_MEMBERS_H
#define SLUICE_MEET_NODE_MEMBERS_H

#include "meet/node/link.h"
#include "meet/node/reflexive.h"
#include "meet/pool.h"

#define MEMBERS_PEER_MAX 16 /* of one peer */

struct node;

enum lending_state {
	LENDING_FREE,
	LENDING_LEARN,
	LENDING_ASK,
	LENDING_CONNECT,
	LENDING_READY,
};

/* A member of the own pool. */
struct lending {
	enum lending_state state;
	struct node *node;
	struct link *path;     /* over which it was requested */
	struct tcp_paths *tcp; /* its port */
	struct reflexive reflexive;
	struct member_request own;
	uint8_t secret[KEY_SIZE]; /* ephemeral; erased when it is used */
	bool known, failed;	  /* the address is known; a callback has failed */
	bool answered;
	struct member_request other; /* the answer */
	struct link *link;
	uint64_t due_ns;   /* end of this state, or of the test */
	uint64_t tests_ns; /* start of the test; 0: none */
	bool lent;
};

/* The pool of a connecting peer. */
struct node_pool {
	struct pool *pool; /* NULL: none */
	struct link *path; /* link of the path, while it is TCP; NULL: the pool is down */
	struct lending lending[MEMBERS_PEER_MAX];
};

/* Returns 0, -EINVAL or -ENOMEM. @options->max is at most MEMBERS_PEER_MAX. */
int members_open(struct node *node, const struct pool_options *options);
/* Closes all members. */
void members_close(struct node *node);

/* Returns true if local connections should borrow members: the path is TCP, and there is a pool. */
bool members_are_lent(const struct node *node);
/* As pool_acquire(). The hook granted() follows. */
bool members_acquire(struct node *node, void *waiter);

/* Runs expired timers, and passes what has happened to the pool. Returns true if it did anything.
 */
bool members_update(struct node *node, uint64_t now_ns);
uint64_t members_due_ns(const struct node *node);
/* Ends the members of this link. */
void members_orphan(struct node *node, const struct link *link);
/* Returns the number of established members of this link, at either peer. */
unsigned int members_count(const struct node *node, const struct link *link);

/* For struct runtime. */
enum service_code members_requested(void *node, struct link *link,
				    const struct member_request *request, uint8_t key[KEY_SIZE]);
void members_answered(void *node, const uint8_t id[SLUICE_RENDEZVOUS_SESSION_ID_SIZE],
		      unsigned int code, const uint8_t *key);

#endif
