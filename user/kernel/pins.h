/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pins of sluice. Its pin directory (kernel/pin_dir.h) has a subdirectory for each object, with
 * a pin for each map and link.
 */
#ifndef SLUICE_KERNEL_PINS_H
#define SLUICE_KERNEL_PINS_H

#include "base/err.h"

#include <limits.h>
#include <stdbool.h>

enum pins_kind {
	PINS_LINK,
	PINS_PROG,
	PINS_MAP,
	PINS_KINDS
};

/*
 * All functions with a parameter DIR refuse a directory that is not on a bpffs (EXIT_ERROR), that
 * other users can write to (EXIT_CONFLICT), or that is below an object's directory (EXIT_USAGE).
 * DIR need not exist.
 */

/*
 * Returns 1 if DIR/OBJECT is a directory, 0 if it does not exist, or -errno with *err set. The
 * caller must have checked DIR.
 */
int pins_have_object(const char *dir, const char *object, struct err *err);
/* Formats DIR/OBJECT/NAME; @name may be NULL. Returns path. */
const char *pins_path(const char *dir, const char *object, const char *name, char path[PATH_MAX]);
/*
 * Formats the path of the staged pin, which a load renames to NAME when it commits. Returns path.
 */
const char *pins_staged_path(const char *dir, const char *object, const char *name,
			     char path[PATH_MAX]);
/* Opens a pin. Returns the descriptor, or -errno; -EMEDIUMTYPE if it is not of this kind. */
int pins_get(const char *dir, const char *object, const char *name, enum pins_kind kind);
/* Returns the kind of BPF object that a descriptor refers to, or -1 if it refers to none. */
int pins_kind(int fd);
/* Works as pins_kind() for the descriptor @entry of a directory /proc/PID/fd, open as @dir_fd. */
int pins_kind_at(int dir_fd, const char *entry);
/* Checks whether the object's directory exists. Returns 1, 0, or -errno with *err set. */
int pins_exist(const char *dir, const char *object, struct err *err);
/*
 * Lists the pins of an object for pins_lost(): those that begin with @prefix, except @except and
 * PINS_OWNER. @prefix and @except may be NULL. The caller frees the list. Returns NULL on failure.
 */
char *pins_list(const char *dir, const char *object, const char *prefix, const char *except);
/*
 * Returns true if a pin of the list is missing, and copies its name into @lost. A NULL list is
 * empty.
 */
bool pins_lost(const char *dir, const char *object, const char *list, char lost[NAME_MAX]);
/* The pin that marks the daemon as the owner (kernel/state_dir.h). */
#define PINS_OWNER "by_daemon"
/*
 * Returns true if any version of sluice creates a pin with this name. No other pin is ever removed.
 */
bool pins_are_own(const char *name);
#endif
