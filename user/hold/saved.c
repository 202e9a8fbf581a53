// SPDX-License-Identifier: GPL-2.0-or-later
#include "hold/saved.h"

#include "nat/interval.h"

__s64 hold_saved(const struct sluice_hold_flow *flow, __u32 sent, __u64 end_ns)
{
	__u64 fixed = 0;

	if (flow->answered_ns && end_ns > flow->answered_ns)
		fixed = (end_ns - flow->answered_ns) / (NAT_INTERVAL_FLOOR_S * 1000000000ULL);
	return (__s64)fixed - sent;
}
