/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The answer of the status socket: the state of each section, and the daemon's warnings. */
#ifndef SLUICE_DAEMON_STATUS_VIEW_H
#define SLUICE_DAEMON_STATUS_VIEW_H

#include "daemon/rates.h"
#include "daemon/rendezvous.h"
#include "daemon/sections.h"
#include "daemon/watch.h"

#include <jansson.h>
#include <linux/types.h>

/* The sources of the answer. */
struct status_view {
	const char *config;
	__u64 started_ns; /* CLOCK_MONOTONIC */
	const struct sections *sections;
	const struct steer_section *steer;
	const struct hold_section *hold;
	const struct rendezvous_section *rendezvous;
	const struct watch *watch;
	struct rates rates;
	char refused[768]; /* why the last reload was refused; empty: it was accepted */
};

/* Returns the answer as a document, which the caller frees. */
json_t *status_view_json(const struct status_view *view);

#endif
