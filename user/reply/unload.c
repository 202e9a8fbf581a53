// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/unload.h"
#include "reply/pins.h"
#include "reply/reply.h"

int reply_unload(const char *bpffs, struct err *err)
{
	return unload_object(&reply_state_dir, bpffs, false, NULL, NULL, err);
}

int reply_unload_own(const char *bpffs, struct err *err)
{
	return unload_object(&reply_state_dir, bpffs, true, NULL, NULL, err);
}
