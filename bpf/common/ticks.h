/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/*
 * The clock of the flow tables, which the programs read for each datagram. The verifier replaces
 * bpf_jiffies64() by a load of the tick counter; bpf_ktime_get_coarse_ns() has the same resolution,
 * but costs a call.
 */
#ifndef SLUICE_BPF_COMMON_TICKS_H
#define SLUICE_BPF_COMMON_TICKS_H

#include <bpf/bpf_helpers.h>
#include <linux/bpf.h>
#include <sluice/flow.h>

/* The length of a tick, a constant to the verifier. */
const volatile __u64 tick_ns = 1;

/* Returns the time of the last tick. */
static __always_inline __u32 tick_clock(void)
{
	return sluice_flow_clock(bpf_jiffies64() * tick_ns);
}

#endif
