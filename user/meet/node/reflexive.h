/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The server-reflexive address of a TCP port: a connection from this port to a server asks for it,
 * with a Binding request. While the connection exists, the NAT keeps the mapping.
 */
#ifndef SLUICE_MEET_NODE_REFLEXIVE_H
#define SLUICE_MEET_NODE_REFLEXIVE_H

#include "base/loop.h"
#include "net/stun.h"

struct tcp_stream;

/* The caller sets ->loop, ->known, ->ended, ->flush and ->arg, and zeroes all other fields. */
struct reflexive {
	struct loop *loop;
	loop_fn known; /* the address has been learned */
	loop_fn ended; /* the connection has failed, or has ended */
	loop_fn flush; /* after the calls above */
	void *arg;
	struct stun_endpoint at;   /* port 0: unknown */
	struct tcp_stream *stream; /* NULL: not needed yet */
	uint8_t id[SLUICE_STUN_ID_SIZE];
};

/*
 * Connects to a server from this port, unless a connection exists. Returns 0 or -errno; ended() is
 * not called for this error.
 */
int reflexive_learn(struct reflexive *reflexive, in_port_t port_be,
		    const struct stun_endpoint *server);
/* Ends the connection, and thus the mapping. */
void reflexive_close(struct reflexive *reflexive);
void reflexive_free(struct reflexive *reflexive);

#endif
