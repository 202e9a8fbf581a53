/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The TCP connections of the server. An idle connection costs a few hundred bytes and no wake-up:
 * one epoll descriptor covers all connections, and a connection has a buffer only while a message
 * is incomplete.
 *
 * The server closes the connection of a client that does not read, stalls within a message, or
 * sends anything but STUN messages and ChannelData. For a slow client, it drops relayed datagrams.
 */
#ifndef SLUICE_MEET_RENDEZVOUS_TCP_H
#define SLUICE_MEET_RENDEZVOUS_TCP_H

#include "meet/rendezvous/udp.h"

/* Seconds to complete a message, and between messages. */
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
/* Returns the limit on connections. */
uint32_t tcp_limit(const struct tcp *tcp);
/*
 * Returns the number of connections that were refused, or closed in favor of another, because of
 * the limits.
 */
uint64_t tcp_refused(const struct tcp *tcp);
/* Closes all connections. Call it before the server is freed. */
void tcp_free(struct tcp *tcp);

#endif
