/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pins of sluice: below its pin directory (kernel/pin_dir.h), a subdirectory for each object,
 * and in it a pin for each map and link.
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
 * All functions that take DIR refuse one that is not on a bpffs (EXIT_ERROR), that others may write
 * to (EXIT_CONFLICT), or that is below a directory of an object (EXIT_USAGE); DIR may be missing.
 */

/*
 * Returns 1 if DIR/OBJECT is a directory, 0 if it does not exist, or -errno with *err set. The
 * caller must have checked DIR.
 */
int pins_have_object(const char *dir, const char *object, struct err *err);
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
