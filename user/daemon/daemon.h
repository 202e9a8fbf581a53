/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SLUICE_DAEMON_DAEMON_H
#define SLUICE_DAEMON_DAEMON_H

#include "base/err.h"
#include "cli/context.h"
#include "metrics/options.h"

/*
 * Loads the objects of the file and follows the host until SIGTERM or SIGINT. The objects stay
 * loaded afterwards. If @metrics is not NULL, it overrides the address in the file. Returns 0, or
 * -errno with *err set.
 */
int daemon_run(const struct context *context, const char *path,
	       const struct metrics_address *metrics, struct err *err);

#endif
