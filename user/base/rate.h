/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Limits a rate with the generic cell rate algorithm. The only state is the time at which the
 * budget is full again, so that nothing has to be updated as time passes.
 */
#ifndef SLUICE_BASE_RATE_H
#define SLUICE_BASE_RATE_H

#include <stdbool.h>
#include <stdint.h>

/* Returns when the budget is full again after something that takes @cost_ns to earn. */
static inline uint64_t rate_after(uint64_t full_ns, uint64_t cost_ns, uint64_t now_ns)
{
	return (full_ns > now_ns ? full_ns : now_ns) + cost_ns;
}

/* Takes @cost_ns from a budget that holds @burst_ns when it is full, or returns false. */
static inline bool rate_take(uint64_t *full_ns, uint64_t cost_ns, uint64_t burst_ns,
			     uint64_t now_ns)
{
	uint64_t after_ns = rate_after(*full_ns, cost_ns, now_ns);

	if (after_ns > now_ns + burst_ns)
		return false;
	*full_ns = after_ns;
	return true;
}

#endif
