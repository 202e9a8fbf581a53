/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What spreads flows over CPUs, as 'steer load' takes it from options and 'run' from its file.
 * `what` names the option or the key in messages.  All return 0, or -errno with *err set to a usage
 * error.
 */
#ifndef SLUICE_STEER_CPU_SPREAD_OPTIONS_H
#define SLUICE_STEER_CPU_SPREAD_OPTIONS_H

#include "base/err.h"
#include "steer/cpu/spread.h"

#include <sluice/steer.h>

/* Parses "0-3,6"; an unknown CPU, and one that is offline, is refused. */
int value_spread_cpus(const char *what, const char *list, struct steer_xdp_options *options,
		      struct err *err);
/* Parses "eth0,eth1". */
int value_spread_interfaces(const char *what, const char *list, struct steer_xdp_options *options,
			    struct err *err);
/*
 * Do interfaces to spread flows from, CPUs to spread them over, and the policy go together?
 * `dashes` stands before their names in messages.
 */
int value_spread_check(const char *dashes, const struct steer_xdp_options *xdp,
		       enum sluice_steer_policy policy, struct err *err);

#endif
