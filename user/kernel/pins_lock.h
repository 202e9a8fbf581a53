/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The lock on the pin directory. Loaders hold it; processes that only read do not. A loader that
 * holds it for long yields it to waiting processes.
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
	__u64 since_ns;		  /* when this process acquired the lock, CLOCK_MONOTONIC */
};

/*
 * Locks DIR against other loaders, and waits a few seconds for them. With @create, creates a
 * missing DIR. Returns 0, or -errno with *err set; -ENOENT if DIR does not exist.
 */
int pins_lock(struct pins *pins, const char *dir, bool create, struct err *err);
/*
 * Returns true if another process waits, and this process has held the lock for its minimum time. A
 * long load then calls pins_yield() between two steps.
 */
bool pins_wanted(const struct pins *pins);
/*
 * Yields the lock to waiting processes, then locks again. The caller must read its state again,
 * since another process may have changed or removed it. Returns 0, or -errno with *err set and the
 * lock lost.
 */
int pins_yield(struct pins *pins, struct err *err);
/* Removes the directory if it is empty, unlocks, and lets waiting processes lock next. */
void pins_unlock(struct pins *pins);

#endif
