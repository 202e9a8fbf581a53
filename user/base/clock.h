/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The time of a kernel clock as a single number; the suffix of a function is the unit. */
#ifndef SLUICE_BASE_CLOCK_H
#define SLUICE_BASE_CLOCK_H

#include <linux/types.h>
#include <time.h>

/* Reads a monotonic clock as BPF programs do, without the offset of the time namespace. */
__u64 clock_now_ns(clockid_t clock);
/* Returns the time since @at_ns, a time of the same clock, or 0 if @at_ns is in the future. */
__u64 clock_since_ns(clockid_t clock, __u64 at_ns);
/* Reads CLOCK_MONOTONIC of this process, the clock of timers and of service managers. */
__u64 clock_now_us(void);

#endif
