// SPDX-License-Identifier: GPL-2.0-or-later
#include "nat/interval.h"

/* Common UDP timeouts: Hätönen et al., IMC 2010; conntrack, cloud NATs and load balancers. */
const __u32 nat_interval_step_s[NAT_INTERVAL_STEPS] = { 20, 30, 60, 120, 180 };

void nat_finding_update(struct nat_finding *finding,
			const enum nat_lifetime results[NAT_INTERVAL_STEPS])
{
	__u32 proven = 0;
	int i;

	for (i = 0; i < NAT_INTERVAL_STEPS; i++) {
		if (results[i] == NAT_LIFETIME_ALIVE)
			proven = nat_interval_step_s[i];
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

int nat_interval_steps(__u32 max_s)
{
	int i = 0;

	while (i < NAT_INTERVAL_STEPS - 1 && tenths(nat_interval_step_s[i]) < max_s * 10)
		i++;
	return i + 1;
}

__u64 nat_interval_ns(const struct nat_finding *finding, __u32 max_s)
{
	__u32 interval = NAT_INTERVAL_DEFAULT_S * 10;

	if (finding->shorter)
		interval = nat_interval_step_s[0] * 10 / 2;
	else if (tenths(finding->proven_s) > interval)
		interval = tenths(finding->proven_s);
	if (!finding->shorter && interval > max_s * 10)
		interval = max_s * 10;
	return interval * 100000000ULL;
}
