/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Receives and sends the datagrams of the server, up to 64 per system call. */
#ifndef SLUICE_MEET_RENDEZVOUS_UDP_H
#define SLUICE_MEET_RENDEZVOUS_UDP_H

#include "base/loop.h"
#include "meet/rendezvous/endpoints.h"
#include "meet/rendezvous/server.h"

struct udp;

/* done: called after each wake-up. now_ns: returns the current time. */
struct transport_hooks {
	uint64_t (*now_ns)(void *arg);
	void (*done)(void *arg);
	void *arg;
};

/* Adds the UDP sockets of @endpoints to the loop. Returns 0 or -errno. */
int udp_start(struct udp **udp, struct loop *loop, const struct endpoints *endpoints,
	      struct server *server, const struct transport_hooks *hooks);
/* Queues a datagram until the end of the wake-up. Outside of a wake-up, sends it at once. */
void udp_send(struct udp *udp, const struct path *path, const void *message, size_t length);
void udp_free(struct udp *udp);

#endif
