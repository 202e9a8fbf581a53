/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Brings the planes to what a configuration says: all of it, or none. */
#ifndef SLUICE_RUN_PLANES_H
#define SLUICE_RUN_PLANES_H

#include "err.h"
#include "run_config.h"
#include "run_place.h"

/*
 * Loads or changes in place what `wanted` has, and unloads what it has not, if the daemon was the
 * last to load it: this one or, after a restart, one before it.  What a command has loaded stays.
 * `before` is what is in force, or NULL.  On failure -errno with *err set, and what `before` says
 * is in force again.
 */
int run_planes_apply(const struct run_config *wanted, const struct run_config *before,
		     const struct run_place *place, struct err *err);

#endif
