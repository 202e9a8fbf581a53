/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The findings of probes about the NAT, and the keepalive interval that follows from them. Each
 * step of a probe leaves a mapping unused for one of the common NAT timeouts, and then tests
 * whether the mapping still exists.
 */
#ifndef SLUICE_HOLD_INTERVAL_H
#define SLUICE_HOLD_INTERVAL_H

#include "nat/lifetime.h"

#include <linux/types.h>
#include <stdbool.h>

#define HOLD_STEPS 5
extern const __u32 hold_step_s[HOLD_STEPS]; /* ascending */

struct hold_finding {
	__u32 proven_s; /* the longest step that a mapping has survived; 0: none */
	bool shorter;	/* the mapping did not survive the shortest step */
	bool outermost; /* the mapped address belongs to this host: no NAT is beyond it */
};

/*
 * Combines the results of a probe with the earlier finding. A step that the mapping survived counts
 * only if no shorter step failed. Without any result, the earlier finding stays.
 */
void hold_finding_update(struct hold_finding *finding, const enum nat_lifetime results[HOLD_STEPS]);

/* Returns the number of steps that can raise the interval, up to @max_s; at least 1. */
int hold_steps_useful(__u32 max_s);

/*
 * Returns the interval: 0.8 of the proven lifetime, but at most @max_s and at least the default;
 * the default if nothing is proven; half of the shortest step if the mapping did not survive it.
 */
__u64 hold_interval_ns(const struct hold_finding *finding, __u32 max_s);

/* Warns if a fixed interval, unless 0, is shorter than RFC 8085 allows. */
void hold_interval_warn(__u32 fixed_s);

#endif
