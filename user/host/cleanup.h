/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Removes the kernel objects of any version of sluice, and finds the remaining ones. */
#ifndef SLUICE_HOST_CLEANUP_H
#define SLUICE_HOST_CLEANUP_H

#include "base/err.h"

#include <limits.h>
#include <linux/types.h>
#include <stdbool.h>

/*
 * Removes DIR and all pins of sluice below it. Also detaches the programs of steered groups, even
 * of groups without pins. Returns the number of removed pins (0 if DIR does not exist), or -errno.
 * Sets *groups to the number of detached groups; @groups may be NULL.
 */
int cleanup_remove(const char *bpffs, int *groups, struct err *err);

/*
 * Sets the hint of a command that has found nothing in DIR. If sluice is loaded in another
 * directory, the hint names that directory. Otherwise, if *err has no hint and sluice has programs
 * in the kernel that are not pinned in DIR, the hint reports them.
 */
void cleanup_hint_elsewhere(const char *bpffs, struct err *err);

/*
 * Calls cleanup_hint_elsewhere() if @result is -ENOENT because DIR has no directory @object.
 * Returns @result.
 */
int cleanup_hint_not_loaded(const char *bpffs, const char *object, int result, struct err *err);

#define CLEANUP_HOLDERS_MAX 8

struct bpf_holder; /* kernel/holders.h */

/* A BPF object of sluice that remains in the kernel. */
struct cleanup_left {
	const char *kind;
	__u32 id;
	const char *name;
	/* the known pins, then the known processes, that hold it */
	const struct bpf_holder *holder[CLEANUP_HOLDERS_MAX];
	int holders;
	bool has_dir;
	char dir[PATH_MAX]; /* the pin directory */
};

typedef void (*cleanup_left_fn)(const struct cleanup_left *left, void *arg);
/*
 * Waits until the kernel has freed the removed objects. Then calls @fn for each remaining program,
 * map and link of sluice, pinned anywhere or not at all, and returns their number, or -errno.
 */
int cleanup_find_left(cleanup_left_fn fn, void *arg, struct err *err);

#endif
