/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a load did, and the word for it. */
#ifndef SLUICE_KERNEL_LOAD_OUTCOME_H
#define SLUICE_KERNEL_LOAD_OUTCOME_H

#include <stdbool.h>

enum load_outcome {
	LOAD_VERIFIED, /* a dry run */
	LOAD_FRESH,
	LOAD_UPDATED,	/* it was loaded; differences were applied in place */
	LOAD_RECOVERED, /* a loader had died during a load; its remains were replaced */
	LOAD_LEFT,	/* nothing was done: another process had unloaded or reloaded it */
};

/*
 * Returns the word for a result, the same for commands, JSON and the daemon's log: "verified",
 * "loaded", "updated", "recovered", and with @as_before "unchanged" for an update without effect.
 */
const char *load_outcome_name(enum load_outcome outcome, bool as_before);

#endif
