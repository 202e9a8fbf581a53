/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Computes the keepalive interval from the results of probes. Each step of a probe leaves a mapping
 * idle for one of the common NAT timeouts, then tests whether the mapping still exists.
 */
#ifndef SLUICE_HOLD_INTERVAL_H
#define SLUICE_HOLD_INTERVAL_H

#include "nat/lifetime.h"

#include <linux/types.h>
#include <stdbool.h>

#define HOLD_STEPS 5
extern const __u32 hold_step_s[HOLD_STEPS]; /* ascending */

struct hold_finding {
	__u32 proven_s; /* the longest step that a mapping has survived, or 0 */
	bool shorter;	/* a step has failed, and no shorter step has succeeded */
	bool outermost; /* the mapped address belongs to this host: there is no NAT beyond it */
};

/*
 * Updates the finding with the results of a probe. A successful step counts only if no shorter step
 * failed. Without any result, the finding is unchanged.
 */
void hold_finding_update(struct hold_finding *finding, const enum nat_lifetime results[HOLD_STEPS]);

/* Returns the number of steps that can raise the interval up to @max_s; at least 1. */
int hold_steps_useful(__u32 max_s);

/*
 * Returns the interval: 0.8 of the proven lifetime, at least the default, but at most @max_s. If
 * @finding->shorter is set, returns half of the shortest step.
 */
__u64 hold_interval_ns(const struct hold_finding *finding, __u32 max_s);

/* Warns if a fixed interval (0: not fixed) is shorter than RFC 8085 allows. */
void hold_interval_warn(__u32 fixed_s);

#endif
