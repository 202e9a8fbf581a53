/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Removes what is ours from the kernel, whatever its version, and looks for what is left. */
#ifndef SLUICE_HOST_CLEANUP_H
#define SLUICE_HOST_CLEANUP_H

#include "base/err.h"

#include <bpf/libbpf.h>

/*
 * Removes every plane's pins below DIR, and DIR, and gives steered groups back to the kernel's
 * choice, also those whose pins have gone.  The pins removed, 0 if there was no DIR, or -errno;
 * *groups, which may be NULL, is the number of such groups.
 */
int cleanup_remove(const char *bpffs, int *groups, struct err *err);

/* How many programs of ours the kernel holds at this moment; -errno if it does not say. */
int cleanup_count_left(void);

typedef void (*cleanup_left_fn)(const char *kind, __u32 id, const char *name, void *arg);
/*
 * Calls fn for each program, map and link of ours that the kernel still holds, wherever it is
 * pinned, after waiting a moment for what is being freed.  Their count, or -errno.
 */
int cleanup_find_left(cleanup_left_fn fn, void *arg, struct err *err);

#endif
