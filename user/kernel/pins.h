/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The folder in bpffs that holds the state of sluice: a subfolder for each plane, a pin for each
 * map and link.  Loaders lock the folder; readers need not.  It must be the caller's own: the paths
 * below it are then nobody else's to change.
 */
#ifndef SLUICE_KERNEL_PINS_H
#define SLUICE_KERNEL_PINS_H

#include "base/err.h"

#include <limits.h>
#include <stdbool.h>

struct pins {
	char dir[PATH_MAX];
	int fd; /* holds the lock */
};

/*
 * Locks DIR against other loaders, waiting for them a few seconds.  With `create` it makes DIR
 * where missing; without, a missing DIR is -ENOENT (and *err says so).  A DIR that others may write
 * to is refused (EXIT_CONFLICT).
 */
int pins_lock(struct pins *pins, const char *dir, bool create, struct err *err);
/* Unlocks, and removes the folder if it is empty. */
void pins_unlock(struct pins *pins);
/* DIR/PLANE/NAME; NAME may be NULL. Returns path. */
const char *pins_path(const char *dir, const char *plane, const char *name, char path[PATH_MAX]);
/* Opens a pinned object; the descriptor, or -errno. */
int pins_get(const char *dir, const char *plane, const char *name);
/* Is there a folder for the plane? 1, 0, or -errno with *err set if that can't be seen. */
int pins_exist(const char *dir, const char *plane, struct err *err);
/*
 * Removes a pin. A link is detached first: the kernel frees a link some time after its last
 * reference is gone, and until then its program would still run.
 */
int pins_drop(const char *path);
/* In a plane's folder: who loaded it (kernel/state_dir.h). */
#define PINS_OWNER "by_daemon"
/*
 * Drops every pin of a plane, PINS_OWNER first: what is found missing while it stands, nobody is
 * unloading.  The count, or -errno.
 */
int pins_remove(const char *dir, const char *plane, struct err *err);
/* Drops those with the prefix; the others, the mark among them, and so the folder stay. */
int pins_remove_prefixed(const char *dir, const char *plane, const char *prefix, struct err *err);

#endif
