// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/unload.h"
#include "hold/hold.h"
#include "hold/pins.h"

int hold_unload(const char *bpffs, struct err *err)
{
	return unload_object(&hold_state_dir, bpffs, false, NULL, NULL, err);
}

int hold_unload_own(const char *bpffs, struct err *err)
{
	return unload_object(&hold_state_dir, bpffs, true, NULL, NULL, err);
}
