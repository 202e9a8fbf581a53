// SPDX-License-Identifier: GPL-2.0-or-later
#include "reply/pins.h"

const struct plane reply_plane = {
	.name = REPLY_PLANE,
	.meta = "sluice_meta",
	.meta_size = sizeof(struct sluice_reply_meta),
	.abi = SLUICE_REPLY_ABI,
	.load = "sluice reply load --mode socket",
};
