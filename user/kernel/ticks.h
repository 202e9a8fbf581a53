/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's tick counter (jiffies). It is the clock of programs that run for each datagram: a
 * plain load reads it, while CLOCK_MONOTONIC needs a helper call.
 */
#ifndef SLUICE_KERNEL_TICKS_H
#define SLUICE_KERNEL_TICKS_H

#include <linux/types.h>

/* Returns the length of a tick, in ns. */
__u64 ticks_length_ns(void);
/* Sets *now to sluice_flow_clock() of the current tick. Returns 0 or -errno. */
int ticks_clock(__u32 *now);

#endif
