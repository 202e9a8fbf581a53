// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/clock.h"

__u64 clock_now_ns(clockid_t clock)
{
	struct timespec now = { 0 };

	clock_gettime(clock, &now);
	return (__u64)now.tv_sec * 1000000000 + (__u64)now.tv_nsec;
}

__u64 clock_since_ns(clockid_t clock, __u64 at_ns)
{
	__u64 now = clock_now_ns(clock);

	return now > at_ns ? now - at_ns : 0;
}

__u64 clock_now_us(void)
{
	return clock_now_ns(CLOCK_MONOTONIC) / 1000;
}
