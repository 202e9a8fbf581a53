/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Removes the kernel objects of any version of sluice, and finds those that are left. */
#ifndef SLUICE_HOST_CLEANUP_H
#define SLUICE_HOST_CLEANUP_H

#include "base/err.h"

#include <limits.h>
#include <linux/types.h>
#include <stdbool.h>

/*
 * Removes DIR and all pins of sluice below it. Also detaches the programs of steered groups, even
 * of those whose pins are gone. Returns the number of pins removed, 0 if there was no DIR, or
 * -errno; *groups, which may be NULL, receives the number of groups.
 */
int cleanup_remove(const char *bpffs, int *groups, struct err *err);

/*
 * Replaces the hint of a command that has found nothing in DIR, if sluice is loaded in another
 * directory; the hint names that directory. If there is no hint, also reports programs whose
 * directory is unknown.
 */
void cleanup_hint_elsewhere(const char *bpffs, struct err *err);

/*
 * Does the same for a command that has failed with @result, if that is -ENOENT since DIR has no
 * @object. Returns @result.
 */
int cleanup_hint_not_loaded(const char *bpffs, const char *object, int result, struct err *err);

#define CLEANUP_HOLDERS_MAX 8

struct bpf_holder; /* host/holders.h */

/* An object of sluice that is left in the kernel. */
struct cleanup_left {
	const char *kind;
	__u32 id;
	const char *name;
	/* the known pins, then the known processes, that keep it */
	const struct bpf_holder *holder[CLEANUP_HOLDERS_MAX];
	int holders;
	bool has_dir;
	char dir[PATH_MAX]; /* the pin directory */
};

typedef void (*cleanup_left_fn)(const struct cleanup_left *left, void *arg);
/*
 * Waits for the kernel to free what was removed. Then calls fn for each program, map and link of
 * sluice in the kernel, wherever it is pinned, and returns their number, or -errno.
 */
int cleanup_find_left(cleanup_left_fn fn, void *arg, struct err *err);

#endif
