// SPDX-License-Identifier: GPL-2.0-or-later
#include "reply/pins.h"

const struct state_dir reply_state_dir = {
	.name = REPLY_OBJECT,
	.meta = "sluice_meta",
	.meta_size = sizeof(struct sluice_reply_meta),
	.abi = SLUICE_REPLY_ABI,
	.load = "sluice reply load --mode socket",
	.lost = "counters, audits and flows start empty, except flows with a datagram in the last"
		" second",
};
