/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Takes flows out of the table that can't be of use any more. */
#ifndef SLUICE_REPLY_PURGE_H
#define SLUICE_REPLY_PURGE_H

#include "base/err.h"

#include <sluice/flow.h>
#include <stddef.h>

/*
 * Removes the flows of a network namespace (its inode number) whose local address is one of those
 * that have left it, unless they are being heard right now.  No reply is any different for it (the
 * programs know on their own that an address has gone): it frees their slots.  Their count, or
 * -errno with *err set.
 */
int reply_purge(const char *bpffs, const struct sluice_addr *gone, size_t count, __u32 netns,
		struct err *err);

#endif
