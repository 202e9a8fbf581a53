/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The outcome of a load, and its name. */
#ifndef SLUICE_KERNEL_LOAD_OUTCOME_H
#define SLUICE_KERNEL_LOAD_OUTCOME_H

#include <stdbool.h>

enum load_outcome {
	LOAD_VERIFIED, /* a dry run */
	LOAD_FRESH,
	LOAD_UPDATED,	/* already loaded; updated in place */
	LOAD_RECOVERED, /* replaced the remains of a loader that was killed */
	LOAD_REPLACED,	/* replaced the object of another ABI version */
	LOAD_LEFT,	/* gave up: another process unloaded or reloaded the object */
};

/*
 * Returns the name that commands, JSON and the daemon's log use: "verified", "loaded", "updated",
 * "recovered", "replaced", "left", or with @as_before "unchanged" for an update without effect.
 */
const char *load_outcome_name(enum load_outcome outcome, bool as_before);

#endif
