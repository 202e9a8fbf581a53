/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Computes the keepalive interval from the results of probes. Each step of a probe leaves a mapping
 * idle for one of the common NAT timeouts, then tests whether the mapping still exists.
 */
#ifndef SLUICE_NAT_INTERVAL_H
#define SLUICE_NAT_INTERVAL_H

#include "nat/lifetime.h"

#include <linux/types.h>
#include <stdbool.h>

/* RFC 8085, section 3.5: at most one keepalive per 15 s. NAT timeouts below 20 s are rare. */
#define NAT_INTERVAL_FLOOR_S   15
#define NAT_INTERVAL_DEFAULT_S 18

#define NAT_INTERVAL_STEPS 5
extern const __u32 nat_interval_step_s[NAT_INTERVAL_STEPS]; /* ascending */

struct nat_finding {
	__u32 proven_s; /* the longest step that a mapping has survived, or 0 */
	bool shorter;	/* a step has failed, and no shorter step has succeeded */
	bool outermost; /* the mapped address belongs to this host: there is no NAT beyond it */
};

/*
 * Updates the finding with the results of a probe. A successful step counts only if no shorter step
 * failed. Without any result, the finding is unchanged.
 */
void nat_finding_update(struct nat_finding *finding,
			const enum nat_lifetime results[NAT_INTERVAL_STEPS]);

/* Returns the number of steps that can raise the interval up to @max_s; at least 1. */
int nat_interval_steps(__u32 max_s);

/*
 * Returns the interval: 0.8 of the proven lifetime, at least the default, but at most @max_s. If
 * @finding->shorter is set, returns half of the shortest step.
 */
__u64 nat_interval_ns(const struct nat_finding *finding, __u32 max_s);

#endif
