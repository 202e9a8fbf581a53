/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/* The ports that a load manages. */
#ifndef SLUICE_BPF_COMMON_PORTS_H
#define SLUICE_BPF_COMMON_PORTS_H

#include <linux/types.h>
#include <stdbool.h>

/* Settings of this load, constants to the verifier. */
const volatile bool any_port;
const volatile __u64 ports[1024]; /* bit p % 64 of word p / 64: port p is managed */

static inline __attribute__((always_inline)) bool port_managed(__u16 port)
{
	return any_port || ports[port >> 6] & 1ULL << (port & 63);
}

#endif
