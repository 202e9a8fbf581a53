// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/clock.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* The offsets that the time namespace adds to the host's clocks (time_namespaces(7)). */
static long long monotonic_ns, boottime_ns;
static bool offsets_known;

static void offsets_read(void)
{
	FILE *file = fopen("/proc/self/timens_offsets", "re");
	long long seconds, ns;
	char name[16];

	while (file && fscanf(file, "%15s %lld %lld", name, &seconds, &ns) == 3)
		*(strcmp(name, "boottime") ? &monotonic_ns : &boottime_ns) = seconds * 1000000000 +
									     ns;
	if (file)
		fclose(file);
	offsets_known = true;
}

__u64 clock_now_ns(clockid_t clock)
{
	struct timespec now = { 0 };

	if (!offsets_known)
		offsets_read();
	clock_gettime(clock, &now);
	return (__u64)now.tv_sec * 1000000000 + (__u64)now.tv_nsec -
	       (__u64)(clock == CLOCK_BOOTTIME ? boottime_ns : monotonic_ns);
}

__u64 clock_since_ns(clockid_t clock, __u64 at_ns)
{
	__u64 now = clock_now_ns(clock);

	return now > at_ns ? now - at_ns : 0;
}

__u64 clock_now_us(void)
{
	struct timespec now = { 0 };

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (__u64)now.tv_sec * 1000000 + (__u64)now.tv_nsec / 1000;
}
