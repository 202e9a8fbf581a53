/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The time of a kernel clock as a single number; the suffix of a function is the unit. */
#ifndef SLUICE_BASE_CLOCK_H
#define SLUICE_BASE_CLOCK_H

#include <linux/types.h>
#include <time.h>

/* Reads a monotonic clock as BPF programs do: that of the host, in any time namespace. */
__u64 clock_now_ns(clockid_t clock);
/* Returns the time since @at_ns, a time of the same clock; 0 for one in the future. */
__u64 clock_since_ns(clockid_t clock, __u64 at_ns);
/* Reads CLOCK_MONOTONIC of this process, the clock of timers and of service managers. */
__u64 clock_now_us(void);

#endif
