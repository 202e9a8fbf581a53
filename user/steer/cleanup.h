/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Removes object steer of any version and in any state, for 'sluice cleanup'. Unlike unload, it
 * reads no map: it identifies sluice's programs by their pins in DIR/steer, or by name if only the
 * group holds the program.
 */
#ifndef SLUICE_STEER_CLEANUP_H
#define SLUICE_STEER_CLEANUP_H

#include "base/err.h"

#include <linux/types.h>
#include <stdbool.h>

struct steer_removed {
	int pins;
	int groups; /* given back to the kernel's choice */
};

/*
 * Detaches and unpins all programs except those that are pinned in another directory. The caller
 * holds the lock on DIR, if it exists. Returns 0, or -errno with *err set; *removed is valid in
 * either case.
 */
int steer_remove(const char *bpffs, struct steer_removed *removed, struct err *err);

/* Is it a steering program of sluice, whatever its pins? */
bool steer_is_program(__u32 prog_id);
/* The references to a program that only its group holds: no pin, and no process. */
#define STEER_REFS_OF_ORPHAN 1

/* Gets the program's id and the group's address and port. */
typedef void (*steer_attached_fn)(__u32 prog_id, const char *group, void *arg);
/* Iterates over the groups that have a sluice program. Returns their number, or -errno. */
int steer_attached(steer_attached_fn fn, void *arg);

#endif
