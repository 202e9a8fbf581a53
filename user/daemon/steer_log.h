/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writes the daemon's log messages about steering. Each sweep reports its findings again. So a
 * failure is logged once, and again only after a sweep without it. journald limits the rate of
 * messages of a service (RateLimitIntervalSec=).
 */
#ifndef SLUICE_DAEMON_STEER_LOG_H
#define SLUICE_DAEMON_STEER_LOG_H

#include "steer/steer.h"

#include <stdbool.h>

#define STEER_LOG_FAILURES_MAX 256

struct steer_log {
	struct {
		__u64 hash; /* hash of the event's text */
		bool seen;  /* reported during this sweep */
	} failure[STEER_LOG_FAILURES_MAX];
	int failures;
	unsigned int groups; /* number of steered groups after the last complete sweep */
	unsigned int groups_found;
	unsigned int changes; /* changes to groups and sockets during this sweep */
	__u64 bound_ns;
};

/* Begins a sweep. @bound_ns is the time of the bind that triggered it (CLOCK_MONOTONIC), or 0. */
void steer_log_begin(struct steer_log *log, __u64 bound_ns);
/* Logs an event; a steer_event_fn with the log as @arg. */
void steer_log_event(const struct steer_event *event, void *arg);
/* Ends a sweep. An incomplete sweep does not prove that a failure has been resolved. */
void steer_log_end(struct steer_log *log, bool complete);

#endif
