/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Removes object steer of any version and in any state, for 'sluice cleanup'. Unlike an unload, it
 * reads no map. It identifies sluice's programs by their pins in DIR/steer, or by name if only the
 * group holds a reference to the program.
 */
#ifndef SLUICE_STEER_CLEANUP_H
#define SLUICE_STEER_CLEANUP_H

#include "base/err.h"

#include <linux/types.h>
#include <stdbool.h>

struct steer_removed {
	int pins;
	int groups; /* groups returned to the kernel's choice */
};

/*
 * Detaches and unpins all programs except those that are pinned in another directory. The caller
 * holds the lock on DIR, if it exists. Returns 0, or -errno with *err set; *removed is valid in
 * either case.
 */
int steer_remove(const char *bpffs, struct steer_removed *removed, struct err *err);

/* Returns true if the program is a steering program of sluice, with or without pins. */
bool steer_is_program(__u32 prog_id);
/* Reference count of a program that is held only by its group, not by a pin or a process. */
#define STEER_REFS_OF_ORPHAN 1

/* @group is the address and port of the group. */
typedef void (*steer_attached_fn)(__u32 prog_id, const char *group, void *arg);
/*
 * Calls @fn for each group that has a steering program of sluice; @fn may be NULL. Returns the
 * number of groups, or -errno.
 */
int steer_attached(steer_attached_fn fn, void *arg);

#endif
