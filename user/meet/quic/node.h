/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The process of a peer: its socket, its registrations and its links. */
#ifndef SLUICE_MEET_QUIC_NODE_H
#define SLUICE_MEET_QUIC_NODE_H

#include "base/loop.h"
#include "meet/peer/options.h"
#include "meet/quic/link.h"
#include "meet/quic/socket.h"

#define NODE_LINKS_MAX 256

struct node_hooks {
	/* The registration with any server has succeeded, for the first time. */
	void (*registered)(void *arg);
	/* No server registers this peer: @code is one of peer_client_code_text(). */
	void (*refused)(void *arg, unsigned int code);
	/* A link can be used. */
	void (*ready)(void *arg, struct link *link);
	/* A link is over, for link->end; it is freed afterwards. */
	void (*over)(void *arg, struct link *link);
	void (*connect_failed)(void *arg, unsigned int code);
	/* As in struct carrier_options. */
	void (*answered)(void *arg, unsigned int code);
	loop_fn ended;
	void *arg;
};

struct node {
	const struct peer_identity *identity;
	const struct service *services;
	unsigned int service_count;
	struct node_hooks hooks;
	struct loop *loop;
	struct loop_timer *timer;
	struct peer_socket socket;
	struct quic_endpoint *endpoint;
	struct peer_client *client;
	struct peers known;
	uint8_t secret[KEY_SIZE];
	struct link *links;
	struct link *by_slot[NODE_LINKS_MAX];
	unsigned int link_count;
	bool registered, updating, again;
	int watched_fd; /* of network changes, or -1 */
};

/*
 * Reads the keys, opens the socket and begins to register. node->identity, ->services, ->hooks are
 * set. Returns 0, or -errno with *err set; node_close() is due in any case.
 */
int node_open(struct node *node, struct err *err);
void node_close(struct node *node);
/* Sends what is queued, and does what is due. Call it after anything that queues. */
void node_update(void *node);
uint64_t node_now_ns(void);

#endif
