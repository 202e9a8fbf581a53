/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The lock on the pin directory: loaders hold it, processes that only read do not. A holder that
 * takes long lets others go first.
 */
#ifndef SLUICE_KERNEL_PINS_LOCK_H
#define SLUICE_KERNEL_PINS_LOCK_H

#include "base/err.h"

#include <limits.h>
#include <linux/types.h>
#include <stdbool.h>
#include <time.h>

struct pins {
	char dir[PATH_MAX];
	int fd;			  /* holds the lock */
	struct timespec accessed; /* access time of DIR, which waiting processes update */
	__u64 since_ns;		  /* when this process took the lock, CLOCK_MONOTONIC */
};

/*
 * Locks DIR against other loaders; waits a few seconds for them. With @create it creates a missing
 * DIR; without, a missing DIR is -ENOENT with *err set.
 */
int pins_lock(struct pins *pins, const char *dir, bool create, struct err *err);
/*
 * Does another process wait for the lock, after this one has held it for a while? If so, a long
 * load calls pins_yield() between two steps.
 */
bool pins_wanted(const struct pins *pins);
/*
 * Unlocks, and locks again after the processes that wait. The caller must read its state again,
 * since another process may have changed or removed it. Returns 0, or -errno with *err set and the
 * lock lost.
 */
int pins_yield(struct pins *pins, struct err *err);
/* Unlocks, and removes the directory if it is empty. Lets other processes that wait go first. */
void pins_unlock(struct pins *pins);

#endif
