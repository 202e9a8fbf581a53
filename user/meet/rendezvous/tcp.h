/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The TCP connections of the server. An idle one costs a few hundred bytes here and no wake-up: all
 * of them are behind one descriptor of the loop, and one has a buffer only while it holds a part of
 * a message.
 *
 * A client that does not read, that stops inside of a message, or that sends anything but messages
 * of STUN and ChannelData loses its connection. For one that reads slowly, datagrams of the relay
 * are dropped.
 */
#ifndef SLUICE_MEET_RENDEZVOUS_TCP_H
#define SLUICE_MEET_RENDEZVOUS_TCP_H

#include "meet/rendezvous/udp.h"

/* Seconds: for a message to be complete, and from one to the next. */
#define TCP_MESSAGE_S 10
#define TCP_IDLE_S    60

struct tcp_limits {
	uint32_t total, prefix;
};

struct tcp;

int tcp_start(struct tcp **tcp, struct loop *loop, const struct endpoints *endpoints,
	      struct server *server, const struct tcp_limits *limits,
	      const struct transport_hooks *hooks);
void tcp_send(struct tcp *tcp, const struct path *path, const void *message, size_t length);
/* Closes connections that have been idle for too long. */
void tcp_expire(struct tcp *tcp, uint64_t now_ns);
bool tcp_next(const struct tcp *tcp, uint64_t *at_ns);
unsigned int tcp_connections(const struct tcp *tcp);
/* Returns how many there may be. */
uint32_t tcp_limit(const struct tcp *tcp);
/* Returns how many were refused, or ended for another one, for the limits. */
uint64_t tcp_refused(const struct tcp *tcp);
/* Closes all connections. Call it before the server is freed. */
void tcp_free(struct tcp *tcp);

#endif
