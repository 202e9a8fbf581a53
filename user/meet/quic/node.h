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

struct node;

/* A server, and the way to it. */
struct node_server {
	struct node *node;
	unsigned int index;
	struct loop_timer *retry; /* of TCP */
	uint64_t retry_us;
};

struct node {
	struct runtime runtime;
	struct node_hooks hooks; /* called with runtime.arg */
	const struct peer_identity *identity;
	struct loop_timer *timer;
	struct node_server server[PEER_CLIENT_SERVERS_MAX];
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

/* --- node_datagram.c */

/* The socket has datagrams. */
void node_readable(void *node);
/* Takes a datagram, or a message of a server's connection. */
void node_receive(void *node, const struct stun_endpoint *from, const uint8_t *data, size_t length);

/* --- node_server.c */

/* Returns 0 or -ENOMEM. */
int node_servers_open(struct node *node);
void node_servers_close(struct node *node);
/* UDP to this server gets no answer. */
void node_server_silent(struct node *node, unsigned int server);
void node_servers_network_changed(struct node *node);

#endif
