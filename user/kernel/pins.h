/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pin directory of sluice in bpffs: a subdirectory for each object, a pin for each map and
 * link. Loaders lock the directory; processes that only read do not. Only its owner may have write
 * access, so that the paths below it can be trusted.
 */
#ifndef SLUICE_KERNEL_PINS_H
#define SLUICE_KERNEL_PINS_H

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

enum pins_kind {
	PINS_LINK,
	PINS_PROG,
	PINS_MAP,
	PINS_KINDS
};

#define PINS_READ_ONLY_HINT \
	"mount it writable: 'mount -o remount,rw'; in a pod, without 'readOnly' for the volume"

/* The subdirectories of DIR that any version of sluice makes, in the order of their removal. */
extern const char *const pins_folders[];

/*
 * All functions that take DIR refuse one that is not on a bpffs (EXIT_ERROR), that others may write
 * to (EXIT_CONFLICT), or that is below a directory of an object (EXIT_USAGE); DIR may be missing.
 */

/*
 * Checks whether DIR, or its nearest parent that exists, is on a bpffs. Copies that path to @at.
 * Returns 0, or -errno with *err set.
 */
int pins_on_bpffs(const char *dir, char at[PATH_MAX], struct err *err);
/* Returns the remedy for a DIR that is not on a bpffs. */
const char *pins_bpffs_hint(const char *dir);

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
/*
 * Returns 1 if DIR/OBJECT is a directory, 0 if it does not exist, or -errno with *err set. The
 * caller must have checked DIR.
 */
int pins_have_object(const char *dir, const char *object, struct err *err);
/* Unlocks, and removes the directory if it is empty. Lets other processes that wait go first. */
void pins_unlock(struct pins *pins);
/* Formats DIR/OBJECT/NAME; @name may be NULL. Returns path. */
const char *pins_path(const char *dir, const char *object, const char *name, char path[PATH_MAX]);
/* Formats the path of a pin that is to take over NAME when a load commits. Returns path. */
const char *pins_staged_path(const char *dir, const char *object, const char *name,
			     char path[PATH_MAX]);
/* Opens a pin. Returns the descriptor, or -errno; -EMEDIUMTYPE if it is of another kind. */
int pins_get(const char *dir, const char *object, const char *name, enum pins_kind kind);
/* Returns the kind of BPF object that a descriptor of this process refers to, or -1 for others. */
int pins_kind(int fd);
/* Does the same for an entry of /proc/PID/fd, which is open as @dir_fd. */
int pins_kind_at(int dir_fd, const char *entry);
/* Checks whether the object's directory exists. Returns 1, 0, or -errno with *err set. */
int pins_exist(const char *dir, const char *object, struct err *err);
/*
 * Lists the pins of an object with @prefix and without @except, each of which may be NULL, for
 * pins_lost(). Does not list PINS_OWNER. The caller frees the list; NULL on failure.
 */
char *pins_list(const char *dir, const char *object, const char *prefix, const char *except);
/* Is a pin of the list missing? Copies its name into @lost. A list of NULL has no pins. */
bool pins_lost(const char *dir, const char *object, const char *list, char lost[NAME_MAX]);
/* The pin that marks the daemon as the owner (kernel/state_dir.h). */
#define PINS_OWNER "by_daemon"
/* Is this the name of a pin that any version of sluice makes? No other is ever removed. */
bool pins_are_own(const char *name);
#endif
