// SPDX-License-Identifier: GPL-2.0-or-later
/* Detaches the programs of all groups, and removes the pins. */
#include "kernel/unload.h"
#include "kernel/pins.h"
#include "kernel/pins_lock.h"
#include "kernel/state_dir.h"
#include "steer/needs.h"
#include "steer/steer.h"

static int unload_locked(struct pins *pins, void *arg, struct err *err)
{
	int removed = steer_sweep_release(arg, err), result;

	if (removed < 0)
		return removed;
	result = unload_pins(pins->dir, STEER_OBJECT, err);
	return result < 0 ? result : removed + result;
}

int steer_unload(const char *bpffs, bool own_only, steer_event_fn fn, void *arg, struct err *err)
{
	struct steer_sweep sweep = { .bpffs = bpffs, .fn = fn, .arg = arg };
	int result = pins_exist(bpffs, STEER_OBJECT, err);

	if (result <= 0 || (own_only && !state_dir_is_daemons(&steer_state_dir, bpffs)))
		return result < 0 ? result : 0;
	result = steer_caps_require("steer unload", false, err);
	return result ? result
		      : unload_object(&steer_state_dir, bpffs, own_only, unload_locked, &sweep,
				      err);
}
