/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Takes a server out of its groups without loss: gives it no new flows, waits until its flows are
 * idle, stops all datagrams, and waits until the server has read its queues.
 */
#ifndef SLUICE_STEER_DRAIN_H
#define SLUICE_STEER_DRAIN_H

#include "base/err.h"
#include "steer/drain_options.h"

#define STEER_DRAIN_IDLE_DEFAULT  5
#define STEER_DRAIN_LIMIT_DEFAULT 60

/*
 * Drains the server of options->pid. Returns 0 even if datagrams were lost; *result has the counts.
 * Returns -ESRCH if the process has no steered socket, -EBUSY (EXIT_CONFLICT) if no other process
 * can take its flows, -EINTR if interrupted, each with *err set.
 */
int steer_drain(const struct steer_drain_options *options, struct steer_drain_result *result,
		struct err *err);

#endif
