/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TCP connections to other peers, from and to one port (RFC 6544). To send to an address for the
 * first time is to connect to it. If the other peer does the same, the SYN segments cross, or one
 * of them arrives at the listener: there is one connection in either case, since both have the same
 * two ports.
 *
 * A connection is unproved until tcp_paths_prove(): the caller has received an authentic message
 * through it. An unproved one ends soon, and few that were accepted are kept. A proved one ends
 * when nothing has arrived for a while, unless tcp_paths_hold() keeps it. Beyond each bound, the
 * oldest one ends.
 */
#ifndef SLUICE_MEET_TCP_PATHS_H
#define SLUICE_MEET_TCP_PATHS_H

#include "base/loop.h"
#include "net/stun.h"

#define TCP_PATHS_MAX	       1024 /* connections that are not held */
#define TCP_PATHS_DIALS_MAX    64   /* attempts to connect at once */
#define TCP_PATHS_UNPROVED_MAX 32   /* accepted ones */
#define TCP_PATHS_DIAL_S       10
#define TCP_PATHS_PROOF_S      10
#define TCP_PATHS_IDLE_S       60

struct tcp_paths;

struct tcp_paths_options {
	struct loop *loop;
	/* A message has arrived. For @at, ->tcp is true. */
	void (*received)(void *arg, const struct stun_endpoint *at, const uint8_t *data,
			 size_t length);
	/* A connection exists that this peer has begun. */
	void (*connected)(void *arg, const struct stun_endpoint *at);
	/* A proved one has ended. */
	void (*ended)(void *arg, const struct stun_endpoint *at);
	loop_fn flush; /* after the calls above */
	void *arg;
};

/* Listens on a port that the kernel chooses. @ip6: also for IPv6. Returns 0 or -errno. */
int tcp_paths_open(struct tcp_paths **paths, const struct tcp_paths_options *options, bool ip6);
/* What was sent is still delivered. @paths may be NULL. */
void tcp_paths_close(struct tcp_paths *paths);
/* Other connections may use it, too: see tcp_stream_connect(). 0 for NULL. */
in_port_t tcp_paths_port(const struct tcp_paths *paths);

/*
 * Sends messages of @size bytes each, the last of which may be shorter, or begins to connect.
 * Messages are lost without a connection, or if it is slower than the caller.
 */
void tcp_paths_send(struct tcp_paths *paths, const struct stun_endpoint *to, const void *data,
		    size_t length, size_t size);
void tcp_paths_prove(struct tcp_paths *paths, const struct stun_endpoint *at);
/*
 * One holder keeps a connection, and it alone releases it: a peer may name the address of the
 * connection of another one as its own.
 */
void tcp_paths_hold(struct tcp_paths *paths, const struct stun_endpoint *at, const void *holder);
void tcp_paths_release(struct tcp_paths *paths, const struct stun_endpoint *at, const void *holder);

#endif
