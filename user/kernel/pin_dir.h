/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Checks the pin directory of sluice in bpffs. Only its owner may have write access, so that the
 * paths below it can be trusted.
 */
#ifndef SLUICE_KERNEL_PIN_DIR_H
#define SLUICE_KERNEL_PIN_DIR_H

#include "base/err.h"

#include <limits.h>
#include <sys/stat.h>

#define PINS_READ_ONLY_HINT \
	"mount it writable: 'mount -o remount,rw'; in a pod, without 'readOnly' for the volume"

/* The subdirectories of DIR that any version of sluice creates, in the order of their removal. */
extern const char *const pins_folders[];

/*
 * Checks that DIR, or its nearest existing parent, is on a bpffs. Copies the checked path to @at.
 * Returns 0, or -errno with *err set.
 */
int pins_on_bpffs(const char *dir, char at[PATH_MAX], struct err *err);
/* Returns the hint for a DIR that is not on a bpffs. */
const char *pins_bpffs_hint(const char *dir);
/* Sets *err for a path that cannot be examined. */
int pin_dir_error(const char *path, int error, struct err *err);
/* Returns the kind of a file: "directory", "symbolic link", or "pin". */
const char *pin_dir_kind(const struct stat *st);
/*
 * Refuses a path that other users can change: sluice must neither trust it nor remove files from
 * it. On a bpffs of mode 1777, any user can create a directory or a symbolic link.
 */
int pin_dir_check_owner(const char *dir, const struct stat *st, struct err *err);
/*
 * Checks that DIR is on a bpffs, and that only root or this user can change it. Returns 1, 0 if DIR
 * does not exist, or -errno with *err set.
 */
int pin_dir_check(const char *dir, struct err *err);
/* Refuses a pin directory inside the directory of an object, where it would look like remains. */
int pin_dir_check_nesting(const char *dir, struct err *err);

#endif
