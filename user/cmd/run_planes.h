/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Brings the planes to what a configuration says: all of it, or none. */
#ifndef SLUICE_RUN_PLANES_H
#define SLUICE_RUN_PLANES_H

#include "err.h"
#include "run_config.h"
#include "run_place.h"

/*
 * Loads or changes in place what `wanted` has, and unloads what only `before` has, which may be
 * NULL.  A plane that neither of them has is left alone, whoever has loaded it.  On failure -errno
 * with *err set, and what `before` says is in force.
 */
int run_planes_apply(const struct run_config *wanted, const struct run_config *before,
		     const struct run_place *place, struct err *err);

#endif
