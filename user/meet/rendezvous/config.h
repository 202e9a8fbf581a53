/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The settings and the limits of the rendezvous server. */
#ifndef SLUICE_MEET_RENDEZVOUS_CONFIG_H
#define SLUICE_MEET_RENDEZVOUS_CONFIG_H

#include "meet/key.h"
#include "meet/rendezvous/path.h"
#include "meet/rendezvous/store.h"

/* Interfaces of --xdp. */
#define MEET_XDP_IFACES_MAX 16

#define LISTENERS_MAX 16

/* The longest message in either direction. */
#define MESSAGE_MAX 1280

/* Seconds: a peer refreshes every 15 to 18, and three lost refreshes end its registration. */
#define REGISTRATION_LIFE_S 54
/* Lifetime of an address proof, which a refresh does not renew. */
#define REGISTRATION_PROOF_S 3600

struct listener {
	struct stun_endpoint at;
	bool has_alternate;
	struct stun_endpoint alternate;
};

/* Returns the listener's address for this role. */
static inline struct stun_endpoint listener_address(const struct listener *listener,
						    unsigned int role)
{
	struct stun_endpoint at = listener->at;

	if (role & SOCKET_OTHER_ADDR)
		at.addr = listener->alternate.addr;
	if (role & SOCKET_OTHER_PORT)
		at.port_be = listener->alternate.port_be;
	return at;
}

/*
 * What answers short refreshes in the place of the server, so that it is not called: the XDP
 * program. All functions NULL: nothing.
 */
struct server_fast_path {
	void (*put)(void *arg, const struct registration *registration);
	void (*remove)(void *arg, const struct registration *registration);
	/*
	 * Returns the time since it last answered for a registration, or UINT64_MAX if it never
	 * has.
	 */
	uint64_t (*idle_ns)(void *arg, const struct registration *registration);
	void *arg;
};

/* The limits of the relay. Rates are in bytes a second; 0: no limit. */
struct server_relay {
	uint32_t pairs; /* relayed at the same time; 0: none */
	uint64_t peer_rate, rate;
};

struct server_config {
	struct server_fast_path fast_path;
	struct listener listener[LISTENERS_MAX];
	unsigned int listeners;
	struct store_limits limits;
	struct server_relay relay;
	uint32_t rate;	   /* answers a second to an unauthenticated prefix; 0: no limit */
	uint32_t port_min; /* of a candidate */
	uint8_t secret[KEY_SIZE];
};

/* Sends a message, which is lost if that fails. path->role and ->local are the source. */
typedef void (*server_send_fn)(const struct path *path, const void *message, size_t length,
			       void *arg);

#endif
