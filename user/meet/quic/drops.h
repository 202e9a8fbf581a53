/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Counts the datagrams of UDP services that a connection drops, by reason, and logs them: UDP may
 * lose datagrams, but an operator must be able to see where.
 */
#ifndef SLUICE_MEET_QUIC_DROPS_H
#define SLUICE_MEET_QUIC_DROPS_H

#include <stdbool.h>
#include <stdint.h>

enum drop_reason {
	DROP_QUEUE,   /* the path was too slow: the queue to it was full, or they waited too long */
	DROP_RECEIVE, /* this process was too slow: the queue of its local socket was full */
	DROP_DELIVERY, /* the local program's socket did not take them */
	DROP_FLOW,     /* no flow, or no descriptor or memory for one */
	DROP_REASONS,
};

struct drops {
	uint64_t count[DROP_REASONS], logged[DROP_REASONS];
	uint64_t logged_ns;
};

/* Logs the reasons that are new since the last line, which was some seconds ago, or @last. */
void drops_log(struct drops *drops, const char *peer, bool last, uint64_t now_ns);

#endif
