/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Kernel clocks as a single number; the suffix of each function is its unit. */
#ifndef SLUICE_BASE_CLOCK_H
#define SLUICE_BASE_CLOCK_H

#include <linux/types.h>
#include <time.h>

/*
 * Reads CLOCK_MONOTONIC or CLOCK_BOOTTIME without the time namespace's offset, as BPF helpers do.
 */
__u64 clock_now_ns(clockid_t clock);
/*
 * Returns the time since @at_ns, a value of clock_now_ns(@clock), or 0 if @at_ns is in the future.
 */
__u64 clock_since_ns(clockid_t clock, __u64 at_ns);
/* Reads CLOCK_MONOTONIC with the time namespace's offset, as timers and service managers use it. */
__u64 clock_now_us(void);

#endif
