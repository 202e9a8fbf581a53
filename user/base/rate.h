/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Limits a rate with the generic cell rate algorithm. The only state is the time at which the
 * budget is full again, so that no timer has to refill it.
 */
#ifndef SLUICE_BASE_RATE_H
#define SLUICE_BASE_RATE_H

#include <stdbool.h>
#include <stdint.h>

/* Returns the time at which the budget is full again if an action that costs @cost_ns runs now. */
static inline uint64_t rate_after(uint64_t full_ns, uint64_t cost_ns, uint64_t now_ns)
{
	return (full_ns > now_ns ? full_ns : now_ns) + cost_ns;
}

/*
 * Subtracts @cost_ns from the budget, which is @burst_ns when full. Returns false, and leaves the
 * budget unchanged, if it is too small.
 */
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
