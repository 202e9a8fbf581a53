/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The sockets of the server: creates them, before it drops its privileges. */
#ifndef SLUICE_MEET_RENDEZVOUS_ENDPOINTS_H
#define SLUICE_MEET_RENDEZVOUS_ENDPOINTS_H

#include "base/err.h"
#include "meet/rendezvous/server.h"

/* One address of the server. */
struct endpoint {
	int udp_fd, tcp_fd; /* -1: none */
	uint8_t listener;
	uint8_t role;
	bool wildcard; /* the local address is that of each datagram */
	struct stun_endpoint at;
};

struct endpoints {
	struct endpoint endpoint[LISTENERS_MAX * SOCKET_ROLES];
	unsigned int count;
};

/*
 * Opens UDP and TCP sockets for all addresses of @config. Returns 0, or -errno with *err set, which
 * names the address, and nothing is open.
 */
int endpoints_open(struct endpoints *endpoints, const struct server_config *config,
		   struct err *err);
void endpoints_close(struct endpoints *endpoints);
/* Finds the endpoint of a listener that has this role. */
const struct endpoint *endpoints_find(const struct endpoints *endpoints, uint8_t listener,
				      uint8_t role);

#endif
