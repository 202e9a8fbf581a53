/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The state of a peer process: its socket, its registrations and its links. */
#ifndef SLUICE_MEET_NODE_NODE_H
#define SLUICE_MEET_NODE_NODE_H

#include "base/debounce.h"
#include "base/log.h"
#include "meet/node/link.h"
#include "meet/node/reflexive.h"
#include "meet/node/runtime.h"
#include "meet/peer/options.h"
#include "meet/pool.h"

#define NODE_LINKS_MAX 256

struct node_hooks {
	/* Called at the first successful registration with any server. */
	void (*registered)(void *arg);
	/*
	 * Called when a server refuses to register this peer; peer_client_code_text() describes
	 * @code.
	 */
	void (*refused)(void *arg, unsigned int code);
	/* Called when a link is over, before it is freed; link->end is the reason. */
	void (*over)(void *arg, struct link *link);
	void (*connect_failed)(void *arg, unsigned int code);
	/* Called when a waiter has got a member of the pool, or with NULL that it gets none. */
	void (*granted)(void *arg, void *waiter, struct link *member);
};

struct node;
struct lifetime_watch;

/* A server, and how to reach it. */
struct node_server {
	struct node *node;
	unsigned int index;
	bool udp_failed;	  /* UDP has failed, and has not worked since */
	struct loop_timer *retry; /* reconnects by TCP */
	uint64_t retry_us;
	struct loop_timer *probe; /* probes UDP, while TCP is used */
	uint8_t probe_id[SLUICE_STUN_ID_SIZE];
	struct log_condition unregistered; /* why this peer is not registered */
	struct loop_timer *lookup;	   /* looks up its name, while the server does not answer */
	bool looking_up;
};

/* The network of this host. */
struct node_network {
	int fd; /* of netlink, or -1 */
	struct loop_timer *timer;
	struct debounce events;
	struct in6_addr source[PEER_CLIENT_SERVERS_MAX]; /* source address toward each server */
};

/* The server-reflexive address of the port of the TCP paths, while this peer is registered by UDP.
 */
struct node_reflexive {
	struct reflexive tcp;
	struct loop_timer *timer;
	bool offered;
};

/* The interval of keepalives, measured with a server. */
struct node_keepalive {
	struct lifetime_watch *watch; /* NULL: not registered by UDP, or not needed */
	unsigned int server;
	unsigned int tried; /* bit mask of the servers without a result */
	bool measured;
};

#define MEMBERS_PEER_MAX 16 /* of one peer */

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
	bool known;		  /* the address of the port, or that it stays unknown */
	const char *failure;	  /* why the other peer refuses; NULL: it does not */
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
	struct log_condition failing; /* why members cannot be made */
};

struct node {
	struct runtime runtime;
	struct node_hooks hooks; /* called with runtime.arg */
	const struct peer_identity *identity;
	struct loop_timer *timer;
	struct node_server server[PEER_CLIENT_SERVERS_MAX];
	struct peers known;
	struct link *links;
	struct link *members; /* of pools: members.c */
	struct node_pool pool;
	struct link *by_slot[NODE_LINKS_MAX];
	struct node_network network;
	struct node_reflexive reflexive;
	struct node_keepalive keepalive;
	int lookup_fd[2]; /* socket pair to the lookup threads; -1: closed */
	bool registered, updating, again;
	uint64_t refusals_full_ns; /* base/rate.h */
	unsigned int refusals_unlogged;
};

/*
 * Reads the keys, opens the socket and starts to register. The caller sets ->identity, ->hooks, and
 * the services and hooks in ->runtime, and zeroes all other fields. Returns 0, or -errno with *err
 * set; call node_close() in either case.
 */
int node_open(struct node *node, struct err *err);
void node_close(struct node *node);
/* Sends queued data and runs expired timers. Call it after each call that queues data. */
void node_update(void *node);

/* Returns true if the peer is currently registered with a server. */
bool node_is_registered(const struct node *node);

/* --- network.c */

/*
 * Offers the addresses of this host to other peers, and monitors changes. Without netlink, a change
 * is detected only when checks fail.
 */
void node_network_watch(struct node *node);
void node_network_close(struct node *node);
/* Offers the current addresses. Returns true if they differ from the previous offer. */
bool node_network_offer(struct node *node);
/*
 * Requests new introductions for links without a direct path, because there is a better candidate.
 */
void node_network_introduce(struct node *node);
/* Returns the source address that the kernel selects for @to, or :: without a route. */
struct in6_addr node_source_toward(const struct stun_endpoint *to);

/* --- datagram.c */

/* Reads the datagrams of the socket. */
void node_readable(void *node);
/* Processes a datagram, or a message of the TCP connection to a server. */
void node_receive(void *node, const struct stun_endpoint *from, const uint8_t *data, size_t length);

/* --- tcp.c */

/*
 * Opens the port for TCP paths, unless the options exclude TCP, and offers its addresses. If that
 * fails, for example without a free descriptor, paths use UDP or the relay.
 */
void node_tcp_open(struct node *node);
/* Opens the port for an introduced peer that UDP does not reach, and offers it to that peer. */
void node_tcp_introduced(struct node *node, const struct introduction *introduction);
/* Returns true if other peers may connect to the port. */
bool node_tcp_is_offered(const struct node *node);
/* Drops the server-reflexive address, because the port now has a connection to a server. */
void node_tcp_forget(struct node *node);
void node_tcp_close(struct node *node);

/* --- members.c */

/* Adds a member of this path. Returns 0, -ENOSPC, or as link_new_member(). */
int node_members_add(struct node *node, struct link *path, struct tcp_paths *tcp,
		     const struct introduction *introduction, struct link **link);
void node_members_remove(struct node *node, struct link *link);
void node_members_update(struct node *node, uint64_t now_ns);
uint64_t node_members_due_ns(const struct node *node);
/* Ends the members of this path. */
void node_members_orphan(struct node *node, const struct link *path);
void node_members_close(struct node *node);
/* Returns the number of established members of this path, at either peer. */
unsigned int node_members_count(const struct node *node, const struct link *path);
/* For struct runtime. */
enum service_code node_members_requested(void *node, struct link *path,
					 const struct member_request *request,
					 uint8_t key[KEY_SIZE]);

/* --- lending.c */

/* Returns 0, -EINVAL or -ENOMEM. @options->max is at most MEMBERS_PEER_MAX. */
int node_pool_open(struct node *node, const struct pool_options *options);
/* Closes all members of the own pool. */
void node_pool_close(struct node *node);
/* Returns true if programs should borrow members: there is a pool, and the path is TCP. */
bool node_pool_is_used(const struct node *node);
/* As pool_acquire(). The hook granted() follows. */
bool node_pool_acquire(struct node *node, void *waiter);
/*
 * Reports what has happened to the pool, and carries out what it decides. Returns true if there was
 * anything.
 */
bool node_pool_update(struct node *node, uint64_t now_ns);
uint64_t node_pool_due_ns(const struct node *node);
/* Ends the members of this path. */
void node_pool_orphan(struct node *node, const struct link *path);
/* For struct runtime. */
void node_pool_answered(void *node, const uint8_t id[SLUICE_RENDEZVOUS_SESSION_ID_SIZE],
			unsigned int code, const uint8_t *key);

/* --- lookup.c */

/* Resolves the first address of a server. Returns 0, or -errno with *err set. */
int node_resolve(const struct peer_server *server, bool ip6, struct stun_endpoint *at,
		 struct err *err);
/* Returns 0 or -errno. */
int node_lookups_open(struct node *node);
void node_lookups_close(struct node *node);
/* Starts to look up the name of this server periodically. */
void node_lookup_start(struct node *node, unsigned int server);
void node_lookup_stop(struct node *node, unsigned int server);

/* --- keepalive.c */

/* Starts to measure with this server, to which the peer has registered by UDP, unless it measures.
 */
void node_keepalive_registered(struct node *node, unsigned int server);
/* Measures with the new address of this server once the peer has registered there. */
void node_keepalive_server_moved(struct node *node, unsigned int server);
/* Returns to the default interval until the next registration, because the NAT may be another. */
void node_keepalive_moved(struct node *node);
/* Returns the source of the interval: option, measured or default. */
const char *node_keepalive_source(const struct node *node);
void node_keepalive_close(struct node *node);

/* --- server.c */

/* Returns 0 or -ENOMEM. */
int node_servers_open(struct node *node);
void node_servers_close(struct node *node);
/* Handles a server that does not answer. */
void node_server_silent(struct node *node, unsigned int server);
/* Warns once per reason that this peer is not registered with the server. */
void node_server_warn(struct node *node, unsigned int server, const char *reason);
/* Handles a successful registration with the server. */
void node_server_registered(struct node *node, unsigned int server);
/* Handles a response to the UDP probe. Returns false for any other datagram. */
bool node_server_answers(struct node *node, const struct stun_endpoint *from, const uint8_t *data,
			 size_t length);
/* Handles a new address of the name of the server. */
void node_server_found(struct node *node, unsigned int server, const struct stun_endpoint *at);
/* Handles a changed source address toward these servers (bit mask). */
void node_servers_moved(struct node *node, unsigned int servers);

#endif
