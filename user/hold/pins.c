// SPDX-License-Identifier: GPL-2.0-or-later
#include "hold/pins.h"

#include <sluice/hold.h>

const struct state_dir hold_state_dir = {
	.name = HOLD_OBJECT,
	.meta = "sluice_meta",
	.meta_size = sizeof(struct sluice_hold_meta),
	.abi = SLUICE_HOLD_ABI,
	.load = "sluice hold load --port LIST",
	.lost = "counters and flows start empty: a flow gets keepalives again after its next"
		" datagram",
	/* these maps refer to each other */
	.vital = (const char *const[]){ "sluice_flows", "sluice_kept", "sluice_index",
					"sluice_socks", "sluice_netns", NULL },
};
