/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The answer of the status socket: the state of each section, and the daemon's warnings. */
#ifndef SLUICE_DAEMON_STATUS_VIEW_H
#define SLUICE_DAEMON_STATUS_VIEW_H

#include "daemon/child.h"
#include "daemon/rates.h"
#include "daemon/sections.h"
#include "daemon/watch.h"

#include <jansson.h>
#include <linux/types.h>
#include <stdbool.h>

/* The sources of the answer. */
struct status_view {
	const char *config;
	__u64 started_ns; /* CLOCK_MONOTONIC */
	const struct sections *sections;
	const struct steer_section *steer;
	const struct hold_section *hold;
	const struct child *child; /* by section, from SECTIONS */
	const struct watch *watch;
	struct rates rates;
	/* state and reason of each section at the last note, and how often that has changed */
	struct log_condition noted[SECTION_NAMES];
	__u64 changes[SECTION_NAMES];
	struct log_condition refused_noted;
	char refused[768]; /* why the last reload was refused; empty: it was accepted */
};

/* Notes the state of each section. Returns true if one, or `refused`, has changed since. */
bool status_view_note(struct status_view *view);
/* Returns the answer as a document, which the caller frees. */
json_t *status_view_json(const struct status_view *view);

#endif
