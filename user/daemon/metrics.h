/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon's metrics and probes (metrics/server.h). The event loop reads all values, so reading
 * must be quick: no walk over the sockets of all processes, and only parts of large tables.
 */
#ifndef SLUICE_DAEMON_METRICS_H
#define SLUICE_DAEMON_METRICS_H

#include "base/err.h"
#include "base/loop.h"
#include "daemon/status_view.h"
#include "metrics/options.h"

struct metrics_server;
struct steer_poll;

struct daemon_metrics {
	struct loop *loop;
	const struct status_view *view;
	struct metrics_address address; /* port_be 0: no server */
	struct metrics_server *server;
	struct steer_poll *steer;
};

/*
 * Serves at this address instead of the previous address; port_be 0 stops the server. Returns 0, or
 * -errno with *err set and the server unchanged.
 */
int daemon_metrics_apply(struct daemon_metrics *metrics, const struct metrics_address *address,
			 struct err *err);
/*
 * Opens the maps of new groups, so that a scrape need not, and closes those of groups that are
 * gone, so that the kernel can free them. Does nothing without a server.
 */
void daemon_metrics_follow(struct daemon_metrics *metrics);
/* Stops the server; must be called before the loop is freed. */
void daemon_metrics_end(struct daemon_metrics *metrics);

#endif
