// SPDX-License-Identifier: GPL-2.0-or-later
#include "wire/pins.h"

#include <errno.h>
#include <sluice/wire.h>

const struct state_dir wire_state_dir = {
	.name = WIRE_OBJECT,
	.meta = "sluice_w_meta",
	.meta_size = sizeof(struct sluice_wire_meta),
	.abi = SLUICE_WIRE_ABI,
	.load = "sluice reply load --mode wire",
	.lost = "counters and flows start empty: a reply that is due now may keep its source, and"
		" requests to a connected socket are redirected after its next reply",
	/* the map lists what is attached */
	.vital = (const char *const[]){ "sluice_w_ifaces", NULL },
};

int wire_refuse_netns(const char *bpffs, struct err *err)
{
	return err_hint(err,
			err_set(err, EXIT_CONFLICT, EBUSY,
				"%s/" WIRE_OBJECT
				": mode wire is loaded in another network namespace",
				bpffs),
			"enter that namespace with --netns, or use another pin directory with"
			" --bpffs; if it is gone, 'sluice reply unload' removes what is left");
}
