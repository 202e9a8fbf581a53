/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Counts the datagrams of UDP services that a connection drops, by reason, and logs them: UDP may
 * lose datagrams, but an operator must be able to find the cause.
 */
#ifndef SLUICE_MEET_QUIC_DROPS_H
#define SLUICE_MEET_QUIC_DROPS_H

#include <stdbool.h>
#include <stdint.h>

enum drop_reason {
	DROP_QUEUE, /* the path was too slow: its queue was full, or the datagrams expired in it */
	DROP_RECEIVE,  /* this process was too slow: the queue of its local socket was full */
	DROP_DELIVERY, /* the socket of the local program did not accept the datagrams */
	DROP_FLOW,     /* no flow, or no descriptor or memory for a flow */
	DROP_REASONS,
};

struct drops {
	uint64_t count[DROP_REASONS], logged[DROP_REASONS];
	uint64_t logged_ns;
};

/* Logs the reasons with new drops, at most once in some seconds, unless @last. */
void drops_log(struct drops *drops, const char *peer, bool last, uint64_t now_ns);

#endif
