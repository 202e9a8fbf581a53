/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/* The budget of a prefix limits the answers to sources that have not proved their address. */
#ifndef SLUICE_MEET_BUDGET_H
#define SLUICE_MEET_BUDGET_H

#include "common/kernel.h"
#include "meet/maps.h"

/* Takes one answer from the budget of the source's prefix. Returns false if the budget is spent. */
static __always_inline bool budget_take(const struct sluice_addr *source, __u64 now)
{
	__u32 index = sluice_meet_budget_index(seed, source);
	__u64 *entry = bpf_map_lookup_elem(&sluice_m_budget, &index);
	__u64 interval = budget_interval_ns, due;

	if (!entry || !interval)
		return true;
	due = *(volatile __u64 *)entry;
	if (due < now)
		due = now;
	due += interval;
	if (due > now + budget_burst_ns)
		return false;
	*(volatile __u64 *)entry = due;
	return true;
}

#endif
