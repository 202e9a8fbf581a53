/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Builds the answer of the status socket: the state of each section, and the daemon's warnings. */
#ifndef SLUICE_DAEMON_STATUS_VIEW_H
#define SLUICE_DAEMON_STATUS_VIEW_H

#include "daemon/child.h"
#include "daemon/rates.h"
#include "daemon/sections.h"
#include "daemon/watch.h"

#include <jansson.h>
#include <linux/types.h>
#include <stdbool.h>

/* The data sources of the answer. */
struct status_view {
	const char *config;
	__u64 started_ns; /* CLOCK_MONOTONIC */
	const struct sections *sections;
	const struct steer_section *steer;
	const struct hold_section *hold;
	const struct child *child; /* indexed by section minus SECTIONS */
	const struct watch *watch;
	struct rates rates;
	/* last recorded state and reason of each section, and the number of changes */
	struct log_condition noted[SECTION_NAMES];
	__u64 changes[SECTION_NAMES];
	struct log_condition refused_noted;
	char refused[768]; /* reason why the last reload was refused; empty: it was accepted */
};

/*
 * Records the state of each section. Returns true if a section or `refused` has changed since the
 * last call.
 */
bool status_view_note(struct status_view *view);
/* Returns the answer as a JSON document, which the caller frees. */
json_t *status_view_json(const struct status_view *view);

#endif
