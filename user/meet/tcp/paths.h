/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TCP connections to other peers, from and to a single port (RFC 6544). The first message to an
 * address starts a connection attempt. If the other peer also connects, the SYN segments cross, or
 * one of them arrives at the listener. Either case results in one connection, because both attempts
 * use the same two ports.
 *
 * A connection is unproved until tcp_paths_prove(): the caller has received an authentic message
 * through it. An unproved connection expires after TCP_PATHS_PROOF_S, and at most
 * TCP_PATHS_UNPROVED_MAX accepted connections may be unproved. A proved connection expires after
 * TCP_PATHS_IDLE_S without a message, unless tcp_paths_hold() holds it. At a limit, a new
 * connection closes the oldest one. Another peer has at most TCP_PATHS_PEER_MAX proved connections
 * without a holder: a further one closes its own oldest one.
 */
#ifndef SLUICE_MEET_TCP_PATHS_H
#define SLUICE_MEET_TCP_PATHS_H

#include "base/loop.h"
#include "net/stun.h"

#define TCP_PATHS_MAX	       1024 /* connections without a holder */
#define TCP_PATHS_DIALS_MAX    64   /* concurrent connection attempts */
#define TCP_PATHS_UNPROVED_MAX 32   /* accepted connections */
#define TCP_PATHS_PEER_MAX     16   /* proved connections of a peer without a holder */
#define TCP_PATHS_DIAL_S       10
#define TCP_PATHS_PROOF_S      10
#define TCP_PATHS_IDLE_S       60

struct tcp_paths;

struct tcp_paths_options {
	struct loop *loop;
	/* A message has arrived. @at->tcp is true. */
	void (*received)(void *arg, const struct stun_endpoint *at, const uint8_t *data,
			 size_t length);
	/* An outbound connection is established. */
	void (*connected)(void *arg, const struct stun_endpoint *at);
	/* A proved connection has ended. */
	void (*ended)(void *arg, const struct stun_endpoint *at);
	loop_fn flush; /* after the calls above */
	void *arg;
};

/* Listens on a port that the kernel selects. @ip6: also for IPv6. Returns 0 or -errno. */
int tcp_paths_open(struct tcp_paths **paths, const struct tcp_paths_options *options, bool ip6);
/* Closes all connections; the kernel still delivers data of proved ones. @paths may be NULL. */
void tcp_paths_close(struct tcp_paths *paths);
/*
 * Returns the port, which other connections may share: see tcp_stream_connect(). Returns 0 if
 * @paths is NULL.
 */
in_port_t tcp_paths_port(const struct tcp_paths *paths);

/*
 * Sends messages of @size bytes each, the last of which may be shorter, or starts to connect.
 * Messages are dropped if there is no connection, or if its send queue is full.
 */
void tcp_paths_send(struct tcp_paths *paths, const struct stun_endpoint *to, const void *data,
		    size_t length, size_t size);
/* @peer identifies the other peer in comparisons only. */
void tcp_paths_prove(struct tcp_paths *paths, const struct stun_endpoint *at, const void *peer);
/*
 * A held connection does not expire. It has a single holder, and only its holder releases it: a
 * peer can name the address of another peer's connection as its own candidate.
 */
void tcp_paths_hold(struct tcp_paths *paths, const struct stun_endpoint *at, const void *holder);
void tcp_paths_release(struct tcp_paths *paths, const struct stun_endpoint *at, const void *holder);

#endif
