/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The path between the server and a client: two addresses, and the socket or connection. */
#ifndef SLUICE_MEET_RENDEZVOUS_PATH_H
#define SLUICE_MEET_RENDEZVOUS_PATH_H

#include "meet/candidate.h"

#include <string.h>

/* Bits that select one of the server's addresses (--listen, --alternate), as in RFC 5780. */
#define SOCKET_OTHER_PORT 1U
#define SOCKET_OTHER_ADDR 2U
#define SOCKET_ROLES	  4

struct registration;
struct relay_leg;

/* A TCP connection. */
struct stream {
	struct registration *registration; /* made on this connection, or NULL */
	struct relay_leg *relay_legs;	   /* bound to this connection */
};

struct path {
	struct stun_endpoint client;
	struct stun_endpoint local;
	/* of a link-local address; otherwise 0 */
	uint32_t ifindex;
	uint8_t listener;      /* index of the --listen address */
	uint8_t role;	       /* SOCKET_… */
	struct stream *stream; /* NULL: UDP */
};

static inline enum candidate_transport path_transport(const struct path *path)
{
	return path->stream ? CANDIDATE_TCP : CANDIDATE_UDP;
}

/* Returns true if both have the same client address and connection. */
static inline bool path_is_same(const struct path *a, const struct path *b)
{
	return a->stream == b->stream && stun_endpoint_is_same(&a->client, &b->client);
}

#endif
