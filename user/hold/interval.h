/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What probes have shown about the NAT, and the interval that follows from it. A probe leaves a
 * mapping unused for one of the common timeouts of NATs and then tests whether it is still there.
 */
#ifndef SLUICE_HOLD_INTERVAL_H
#define SLUICE_HOLD_INTERVAL_H

#include "nat/lifetime.h"

#include <linux/types.h>
#include <stdbool.h>

#define HOLD_STEPS 5
extern const __u32 hold_step_s[HOLD_STEPS]; /* ascending */

struct hold_finding {
	__u32 proven_s; /* the longest step after which a mapping was still there; 0: none */
	bool shorter;	/* not even the shortest step was survived */
	bool outermost; /* the mapped address is one of this host: no NAT is beyond it */
};

/*
 * Combines the results of the steps of a probe with the earlier finding. A step that survived
 * proves its time only if no shorter step failed. Where nothing is shown, the earlier finding
 * stays.
 */
void hold_finding_update(struct hold_finding *finding, const enum nat_lifetime results[HOLD_STEPS]);

/* Returns the number of steps that may raise the interval up to @max_s; at least 1. */
int hold_steps_useful(__u32 max_s);

/*
 * Returns the interval: 0.8 of the proven lifetime, at most @max_s; half of the shortest step if
 * not even that was survived; the default if nothing is known.
 */
__u64 hold_interval_ns(const struct hold_finding *finding, __u32 max_s);

/* Returns the earliest time of a keepalive: five sixths of the interval after the last datagram. */
__u64 hold_due_earliest_ns(__u64 last_ns, __u64 interval_ns);
/* Returns the time of a keepalive, between the earliest and the interval's end; @random: 16 bits.
 */
__u64 hold_due_ns(__u64 last_ns, __u64 interval_ns, __u32 random);

#endif
