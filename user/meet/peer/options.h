/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The options of `peer run` and `peer connect`. */
#ifndef SLUICE_MEET_PEER_OPTIONS_H
#define SLUICE_MEET_PEER_OPTIONS_H

#include "cli/opt.h"
#include "meet/peer/client.h"
#include "meet/peer/service.h"
#include "metrics/options.h"

#define PEER_KEYS_MAX 64 /* of --peer-key; use a file for more */

struct peer_server {
	char host[256];
	char port[6];
};

struct peer_key {
	char name[PEER_NAME_MAX + 1];
	uint8_t key[KEY_SIZE];
};

/* The port mapping protocol to use with the gateway. */
enum peer_port_mapping {
	PEER_PORT_MAPPING_AUTO, /* NAT-PMP, and UPnP if that gets no mapping */
	PEER_PORT_MAPPING_NAT_PMP,
	PEER_PORT_MAPPING_UPNP,
	PEER_PORT_MAPPING_OFF,
};

/* Transport to servers and other peers. */
enum peer_transport {
	PEER_TRANSPORT_AUTO, /* TCP if UDP gets no answer */
	PEER_TRANSPORT_UDP,
	PEER_TRANSPORT_TCP,
};

/* The identity of the peer, and the keys that it trusts. */
struct peer_identity {
	struct peer_server server[PEER_CLIENT_SERVERS_MAX];
	unsigned int servers;
	uint8_t server_key[PEER_CLIENT_SERVERS_MAX][KEY_SIZE];
	unsigned int server_keys;
	const char *id, *key_file;
	struct peer_key peer_key[PEER_KEYS_MAX];
	unsigned int peer_keys;
	const char *known_peers;
	bool trust_server;
	enum peer_port_mapping port_mapping;
	bool direct_only, relay_only;
	enum peer_transport transport;
	__u32 keepalive_s;
	const char *on_change;
	struct metrics_address metrics;
	const char *user; /* to become; NULL: none */
};

struct peer_exposed {
	struct service service[SERVICES_MAX];
	unsigned int count;
	bool until_eof;
};

/* The pool of TCP connections: meet/pool.h. 0: the default; max 0: no pool. */
struct peer_pool {
	__u32 max, min_idle, queue;
	__u32 acquire_ms, idle_s, life_s;
	unsigned int order; /* enum peer_pool_order */
};

#define PEER_POOL_MAX	     16 /* the other peer accepts no more */
#define PEER_POOL_MIN_IDLE   1
#define PEER_POOL_QUEUE	     64
#define PEER_POOL_ACQUIRE_MS 1000
#define PEER_POOL_IDLE_S     600
#define PEER_POOL_LIFE_S     1800

enum peer_pool_order {
	PEER_POOL_LIFO = 1,
	PEER_POOL_FIFO,
};

struct peer_target {
	const char *to;
	const char *service;	       /* NULL: the service without a name */
	struct service_address listen; /* kind 0: none */
	bool stdio;
	bool until_eof;
	struct peer_pool pool;
};

struct peer_list_options {
	const char *id; /* NULL: all */
};

extern const struct opt peer_identity_opts[];
extern const struct opt peer_run_opts[];     /* into struct peer_exposed */
extern const struct opt peer_connect_opts[]; /* into struct peer_target */
extern const struct opt peer_list_opts[];

/* Checks that all required options are present. Returns 0, or -EINVAL with *err set. */
int peer_identity_check(const struct peer_identity *identity, struct err *err);
int peer_exposed_check(const struct peer_exposed *exposed, struct err *err);
int peer_target_check(const struct peer_target *target, const struct peer_identity *identity,
		      struct err *err);

#endif
