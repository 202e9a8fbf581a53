/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The process of a peer: its socket, its registrations and its links. */
#ifndef SLUICE_MEET_QUIC_NODE_H
#define SLUICE_MEET_QUIC_NODE_H

#include "meet/peer/options.h"
#include "meet/quic/link.h"
#include "meet/quic/runtime.h"

#define NODE_LINKS_MAX 256

struct node_hooks {
	/* The registration with any server has succeeded, for the first time. */
	void (*registered)(void *arg);
	/* A server does not register this peer: @code is one of peer_client_code_text(). */
	void (*refused)(void *arg, unsigned int code);
	/* A link is over, for link->end; it is freed afterwards. */
	void (*over)(void *arg, struct link *link);
	void (*connect_failed)(void *arg, unsigned int code);
};

struct node {
	struct runtime runtime;
	struct node_hooks hooks; /* called with runtime.arg */
	const struct peer_identity *identity;
	struct loop_timer *timer;
	struct peers known;
	struct link *links;
	struct link *by_slot[NODE_LINKS_MAX];
	bool registered, updating, again;
	int watched_fd; /* of network changes, or -1 */
};

/*
 * Reads the keys, opens the socket and begins to register. @node is zero except for ->identity,
 * ->hooks and, of ->runtime, services and hooks. Returns 0, or -errno with *err set; node_close()
 * is due in any case.
 */
int node_open(struct node *node, struct err *err);
void node_close(struct node *node);
/* Sends what is queued, and does what is due. Call it after anything that queues. */
void node_update(void *node);

/* node_datagram.c: the socket has datagrams. */
void node_readable(void *node);

#endif
