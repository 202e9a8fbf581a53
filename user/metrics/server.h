/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The HTTP server for a monitoring system, in the event loop of a daemon:
 *
 *	/metrics    what the daemon counts (metrics.h)
 *	/livez      200 when the event loop turns; otherwise there is no answer
 *	/readyz     200 when the daemon does what its settings say, otherwise 503 and the reasons
 *	/startupz   200 when the daemon has tried everything once, otherwise 503
 *
 * It has no authentication, so a port alone is one of 127.0.0.1. Clients cannot
 * hold up the daemon: a connection lasts for one request and a few seconds, the oldest of too many
 * is closed, and the metrics are read once a second at most.
 */
#ifndef SLUICE_METRICS_SERVER_H
#define SLUICE_METRICS_SERVER_H

#include "base/err.h"
#include "base/loop.h"
#include "metrics/metrics.h"
#include "metrics/options.h"

#include <stdbool.h>
#include <stdio.h>

struct metrics_server;

/* What a daemon has to say. All functions are called in the event loop, and must not block. */
struct metrics_provider {
	/* Adds the daemon's metrics; those of the process are there already. */
	void (*collect)(struct metrics *metrics, void *arg);
	/* Writes a line for each reason why the daemon is not ready; none if it is. */
	void (*unready)(FILE *reasons, void *arg);
	/* Has the daemon tried everything once? NULL: it has, as soon as its loop runs. */
	bool (*started)(void *arg);
	void *arg;
};

/*
 * Listens, and answers once the loop runs. The provider must outlive the server. Returns 0, or
 * -errno with *err set: EXIT_CONFLICT if the address is in use.
 */
int metrics_listen(struct metrics_server **server, struct loop *loop,
		   const struct metrics_address *address, const struct metrics_provider *provider,
		   struct err *err);
/* Closes all connections. Call it before the loop is freed; @server may be NULL. */
void metrics_close(struct metrics_server *server);

#endif
