/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SLUICE_STEER_CPU_SPREAD_OPTIONS_H
#define SLUICE_STEER_CPU_SPREAD_OPTIONS_H

#include "cli/opt.h"
#include "steer/cpu/spread.h"

#include <sluice/steer.h>

/* The spread options of 'steer load' and of section [steer]. */
extern const struct opt steer_spread_opts[];
/*
 * Checks that interfaces, CPUs and policy are consistent. @dashes precedes option names in
 * messages. Returns 0, or -errno with *err set.
 */
int value_spread_check(const char *dashes, const struct spread_options *xdp,
		       enum sluice_steer_policy policy, struct err *err);

#endif
