// SPDX-License-Identifier: GPL-2.0-or-later
#include "hold/interval.h"

#include "base/log.h"
#include "hold/send_options.h"

/* Common UDP timeouts: Hätönen et al., IMC 2010; conntrack, cloud NATs and load balancers. */
const __u32 hold_step_s[HOLD_STEPS] = { 20, 30, 60, 120, 180 };

void hold_finding_update(struct hold_finding *finding, const enum nat_lifetime results[HOLD_STEPS])
{
	__u32 proven = 0;
	int i;

	for (i = 0; i < HOLD_STEPS; i++) {
		if (results[i] == NAT_LIFETIME_ALIVE)
			proven = hold_step_s[i];
		if (results[i] == NAT_LIFETIME_EXPIRED || results[i] == NAT_LIFETIME_REMAPPED) {
			finding->proven_s = proven;
			finding->shorter = !i || !proven;
			return;
		}
	}
	if (proven > finding->proven_s)
		finding->proven_s = proven;
	if (proven)
		finding->shorter = false;
}

/* Returns 0.8 of a lifetime, in tenths of a second. */
static __u32 tenths(__u32 lifetime_s)
{
	return lifetime_s * 8;
}

int hold_steps_useful(__u32 max_s)
{
	int i = 0;

	while (i < HOLD_STEPS - 1 && tenths(hold_step_s[i]) < max_s * 10)
		i++;
	return i + 1;
}

__u64 hold_interval_ns(const struct hold_finding *finding, __u32 max_s)
{
	__u32 interval = HOLD_INTERVAL_DEFAULT * 10;

	if (finding->shorter)
		interval = hold_step_s[0] * 10 / 2;
	else if (tenths(finding->proven_s) > interval)
		interval = tenths(finding->proven_s);
	if (!finding->shorter && interval > max_s * 10)
		interval = max_s * 10;
	return interval * 100000000ULL;
}

void hold_interval_warn(__u32 fixed_s)
{
	struct log_line line;

	if (!fixed_s || fixed_s >= HOLD_INTERVAL_FLOOR)
		return;
	log_begin(&line, LOG_LEVEL_WARNING,
		  "hold: the interval is below the 15 s that RFC 8085 allows on the Internet");
	log_field(&line, "interval_s", "%u", fixed_s);
	log_end(&line);
}
