/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The time of one of the kernel's clocks as one number, in the unit that its name says. */
#ifndef SLUICE_BASE_CLOCK_H
#define SLUICE_BASE_CLOCK_H

#include <linux/types.h>
#include <time.h>

__u64 clock_now_ns(clockid_t clock);
/* CLOCK_MONOTONIC, which timers and service managers count by. */
__u64 clock_now_us(void);

#endif
