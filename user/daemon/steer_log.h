/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writes the daemon's log lines of steering.  Each sweep reports again what it finds; a failure
 * that lasts is logged once, and again only after it has been gone.  The rate of lines is left to
 * journald, which limits it for each service (RateLimitIntervalSec=).
 */
#ifndef SLUICE_DAEMON_STEER_LOG_H
#define SLUICE_DAEMON_STEER_LOG_H

#include "steer/steer.h"

#include <stdbool.h>

struct steer_log;

struct steer_log *steer_log_new(void);
void steer_log_free(struct steer_log *log);
/* A sweep begins, since a socket was bound at bound_ns (CLOCK_MONOTONIC), or 0. */
void steer_log_begin(struct steer_log *log, __u64 bound_ns);
/* A steer_event_fn; arg is the log. */
void steer_log_event(const struct steer_event *news, void *arg);
/* It has ended, and had looked at all or not. */
void steer_log_end(struct steer_log *log, bool complete);
/* Groups that the last sweep found, or put, in our hands. */
unsigned int steer_log_groups(const struct steer_log *log);

#endif
