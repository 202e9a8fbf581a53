/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Takes the steering plane away whatever its version and state, for 'sluice cleanup'.  Unlike
 * unload, it needs no map that can be read: a program is ours by its pin in DIR/steer, or by its
 * name if nothing but its group holds it any more.
 */
#ifndef SLUICE_STEER_REMOVE_H
#define SLUICE_STEER_REMOVE_H

#include "base/err.h"

#include <linux/types.h>

struct steer_removed {
	int pins;
	int groups; /* given back to the kernel's choice */
};

/*
 * The caller holds the lock on DIR, if there is one.  A program that is pinned in another folder is
 * left where it is.  0 or -errno with *err set; *removed says what was removed in either case.
 */
int steer_remove(const char *bpffs, struct steer_removed *removed, struct err *err);

/* Called for each group with a program of ours attached: its id, and the group's address and port.
 */
typedef void (*steer_attached_fn)(__u32 prog_id, const char *group, void *arg);
/* Their number, or -errno. */
int steer_attached(steer_attached_fn fn, void *arg);

#endif
