/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/* Reads CLOCK_MONOTONIC. */
#ifndef SLUICE_BPF_COMMON_CLOCK_H
#define SLUICE_BPF_COMMON_CLOCK_H

#include "common/kernel.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

/*
 * Returns the time of the coarse clock if the kernel has its helper (Linux 5.11): it has the
 * resolution of a tick, at a fraction of the cost.
 */
static __always_inline __u64 clock_ns(void)
{
	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_ktime_get_coarse_ns))
		return bpf_ktime_get_coarse_ns();
	return bpf_ktime_get_ns();
}

#endif
