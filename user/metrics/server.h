/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Serves HTTP for a monitoring system, in the event loop of a daemon:
 *
 *	/metrics    the counters of the daemon (metrics.h)
 *	/livez      200 while the event loop runs; otherwise no answer
 *	/readyz     200 while the daemon does what its settings say, otherwise 503 and the reasons
 *	/startupz   200 once the daemon has tried all sections, otherwise 503
 *
 * The server has no authentication, so a port without an address is a port of 127.0.0.1. Clients
 * cannot delay the daemon: a connection lasts for one request and a few seconds, the oldest of too
 * many connections is closed, and the metrics are read at most once a second.
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

/* The callbacks of a daemon. The event loop calls them, so they must not block. */
struct metrics_provider {
	/* Adds the daemon's metrics, after the metrics of the process. */
	void (*collect)(struct metrics *metrics, void *arg);
	/* Writes a line for each reason why the daemon is not ready; none if it is. */
	void (*unready)(FILE *reasons, void *arg);
	/* Returns true once the daemon has tried all sections. NULL: as soon as its loop runs. */
	bool (*started)(void *arg);
	void *arg;
};

/*
 * Listens, and serves requests once the loop runs. The provider must outlive the server. Returns 0,
 * or -errno with *err set: EXIT_CONFLICT if the address is in use.
 */
int metrics_listen(struct metrics_server **server, struct loop *loop,
		   const struct metrics_address *address, const struct metrics_provider *provider,
		   struct err *err);
/* Closes all connections. Must be called before the loop is freed; @server may be NULL. */
void metrics_close(struct metrics_server *server);

#endif
