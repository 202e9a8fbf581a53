// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/keepalive.h"

uint64_t keepalive_earliest_ns(uint64_t last_ns, uint64_t interval_ns)
{
	return last_ns + interval_ns - interval_ns / 6;
}

uint64_t keepalive_due_ns(uint64_t last_ns, uint64_t interval_ns, uint32_t random)
{
	return last_ns + interval_ns - (interval_ns / 6 * random >> 16);
}
