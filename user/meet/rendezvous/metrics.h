/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The metrics and probes of the server. The server is ready unless it is draining or does not
 * answer its own Binding requests (self_check.h).
 */
#ifndef SLUICE_MEET_RENDEZVOUS_METRICS_H
#define SLUICE_MEET_RENDEZVOUS_METRICS_H

#include "base/err.h"
#include "base/loop.h"
#include "meet/rendezvous/self_check.h"
#include "meet/rendezvous/status_socket.h"

struct metrics_server;

struct rendezvous_metrics {
	const struct status *status;
	struct metrics_server *server; /* NULL: none */
	struct self_check *check;
};

/*
 * Opens the HTTP listener, which may need privileges. Does nothing without an address. Returns 0,
 * or -errno with *err set.
 */
int rendezvous_metrics_open(struct rendezvous_metrics *metrics, struct loop *loop,
			    const struct status *status, struct err *err);
/*
 * Starts the self check. The server must receive already. Does nothing without a metrics server or
 * a daemon. @checked is passed to self_check_start().
 */
int rendezvous_metrics_start(struct rendezvous_metrics *metrics, struct loop *loop,
			     const struct endpoints *endpoints, loop_fn checked, void *arg,
			     struct err *err);
void rendezvous_metrics_close(struct rendezvous_metrics *metrics);

#endif
