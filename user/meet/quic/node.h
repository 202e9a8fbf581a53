/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The process of a peer: its socket, its registrations and its links. */
#ifndef SLUICE_MEET_QUIC_NODE_H
#define SLUICE_MEET_QUIC_NODE_H

#include "base/debounce.h"
#include "base/log.h"
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
	bool udp_failed;	  /* and has not worked since */
	struct loop_timer *retry; /* of TCP */
	uint64_t retry_us;
	struct loop_timer *probe; /* of UDP, while TCP is used */
	uint8_t probe_id[SLUICE_STUN_ID_SIZE];
	struct log_condition unregistered; /* why this peer is not registered */
	struct loop_timer *lookup;	   /* of its name, while it does not answer */
	bool looking_up;
};

/* The network of this host. */
struct node_network {
	int fd; /* of netlink, or -1 */
	struct loop_timer *timer;
	struct debounce events;
	struct in6_addr source[PEER_CLIENT_SERVERS_MAX]; /* own address toward each server */
};

/*
 * A connection to a server from the port of TCP connections, by which a peer that is registered by
 * UDP learns its server-reflexive address of TCP. As long as it exists, the NAT keeps the mapping.
 */
struct node_reflexive {
	struct tcp_stream *stream; /* NULL: there was no use for it yet */
	struct loop_timer *timer;
	uint8_t id[SLUICE_STUN_ID_SIZE];
	struct stun_endpoint at;
	bool offered;
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
	struct node_network network;
	struct node_reflexive reflexive;
	int lookup_fd[2]; /* from the threads that look up names; -1 */
	bool registered, updating, again;
	uint64_t refusals_full_ns; /* base/rate.h */
	unsigned int refusals_unlogged;
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

/* Is it registered with a server at present? */
bool node_is_registered(const struct node *node);

/* --- node_network.c */

/*
 * Offers the addresses of this host to other peers, and follows their changes. Without it, as when
 * netlink fails, a change is noticed when checks fail.
 */
void node_network_watch(struct node *node);
void node_network_close(struct node *node);
/* Offers what there is now. Returns whether that differs from what was offered before. */
bool node_network_offer(struct node *node);
/* There is a better candidate: peers without a direct path are introduced again. */
void node_network_introduce(struct node *node);
/* Returns the address from which this host would send there; :: if it cannot. */
struct in6_addr node_source_toward(const struct stun_endpoint *to);

/* --- node_datagram.c */

/* The socket has datagrams. */
void node_readable(void *node);
/* Takes a datagram, or a message of a server's connection. */
void node_receive(void *node, const struct stun_endpoint *from, const uint8_t *data, size_t length);

/* --- node_tcp.c */

/*
 * Opens the port of TCP connections to other peers, unless the options exclude them, and offers its
 * addresses. Without it, as when there is no descriptor left, paths use UDP or the relay.
 */
void node_tcp_open(struct node *node);
/* A peer was introduced: opens the port, and offers it to that peer, if UDP does not reach it. */
void node_tcp_introduced(struct node *node, const struct introduction *introduction);
/* Shall other peers connect to the port? */
bool node_tcp_is_offered(const struct node *node);
/* Forgets the server-reflexive address: a server is connected to from the port. */
void node_tcp_forget(struct node *node);
void node_tcp_close(struct node *node);

/* --- node_lookup.c */

/* Finds the first address of a server. Returns 0, or -errno with *err set. */
int node_resolve(const struct peer_server *server, bool ip6, struct stun_endpoint *at,
		 struct err *err);
/* Returns 0 or -errno. */
int node_lookups_open(struct node *node);
void node_lookups_close(struct node *node);
/* Looks up the name of this server from time to time. */
void node_lookup_start(struct node *node, unsigned int server);
void node_lookup_stop(struct node *node, unsigned int server);

/* --- node_server.c */

/* Returns 0 or -ENOMEM. */
int node_servers_open(struct node *node);
void node_servers_close(struct node *node);
/* This server does not answer. */
void node_server_silent(struct node *node, unsigned int server);
/* Warns that this peer is not registered with it, once for each reason. */
void node_server_warn(struct node *node, unsigned int server, const char *reason);
/* This peer is registered with it. */
void node_server_registered(struct node *node, unsigned int server);
/* Takes the answer to a request that was sent to find out whether UDP works. */
bool node_server_answers(struct node *node, const struct stun_endpoint *from, const uint8_t *data,
			 size_t length);
/* Its name has this address. */
void node_server_found(struct node *node, unsigned int server, const struct stun_endpoint *at);
/* This host sends from another address to these servers, bit by bit. */
void node_servers_moved(struct node *node, unsigned int servers);

#endif
