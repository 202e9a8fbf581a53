/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/* The limit on walks over a host's addresses (bpf/common/addr_walk.h). */
#ifndef SLUICE_WALKS_H
#define SLUICE_WALKS_H

#include <linux/types.h>

/*
 * Limit on fruitless walks per window, and the window in ticks of sluice_flow_clock(): about 1000
 * walks per second on each CPU.
 */
#define SLUICE_WALKS	   32
#define SLUICE_WALK_WINDOW 32

struct sluice_walks {
	__u32 window;
	__u32 fruitless; /* walks in this window that found nothing */
};
_Static_assert(sizeof(struct sluice_walks) == 8, "struct sluice_walks");

#endif
