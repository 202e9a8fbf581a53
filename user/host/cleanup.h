/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Removes the kernel objects of any version of sluice, and finds those that are left. */
#ifndef SLUICE_HOST_CLEANUP_H
#define SLUICE_HOST_CLEANUP_H

#include "base/err.h"

#include <bpf/libbpf.h>

/*
 * Removes all pins of sluice below DIR, and DIR.  Returns steered groups to the kernel's own
 * selection, including those whose pins are gone.  Returns the number of pins removed, 0 if there
 * was no DIR, or -errno; *groups, which may be NULL, receives the number of groups.
 */
int cleanup_remove(const char *bpffs, int *groups, struct err *err);

/* Returns the number of sluice's programs in the kernel, or -errno. */
int cleanup_count_left(void);

typedef void (*cleanup_left_fn)(const char *kind, __u32 id, const char *name, void *arg);
/*
 * Calls fn for each program, map and link of sluice in the kernel, wherever it is pinned, after
 * waiting for the kernel to free what was removed.  Returns their count, or -errno.
 */
int cleanup_find_left(cleanup_left_fn fn, void *arg, struct err *err);

#endif
