/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Opens the sockets of the server, before it drops its privileges. */
#ifndef SLUICE_MEET_RENDEZVOUS_ENDPOINTS_H
#define SLUICE_MEET_RENDEZVOUS_ENDPOINTS_H

#include "base/err.h"
#include "meet/rendezvous/server.h"

/* One address of the server. */
struct endpoint {
	int udp_fd, tcp_fd; /* -1: none */
	uint8_t listener;
	uint8_t role;
	bool wildcard; /* each datagram has its own local address */
	struct stun_endpoint at;
};

struct endpoints {
	struct endpoint endpoint[LISTENERS_MAX * SOCKET_ROLES];
	unsigned int count;
};

/*
 * Opens UDP and TCP sockets for all addresses of @config. Returns 0; or -errno with the address in
 * *err, and no socket open.
 */
int endpoints_open(struct endpoints *endpoints, const struct server_config *config,
		   struct err *err);
void endpoints_close(struct endpoints *endpoints);
/* Returns the listener's endpoint for this role, or NULL. */
const struct endpoint *endpoints_find(const struct endpoints *endpoints, uint8_t listener,
				      uint8_t role);

#endif
