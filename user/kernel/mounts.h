/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The mounts of the pseudo file systems that sluice needs: cgroup2 and bpffs. */
#ifndef SLUICE_KERNEL_MOUNTS_H
#define SLUICE_KERNEL_MOUNTS_H

#include "base/err.h"

#include <limits.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/*
 * Finds the first cgroup2 mount in a mountinfo file (proc(5)): /sys/fs/cgroup where all controllers
 * are v2, /sys/fs/cgroup/unified in systemd's hybrid layout. Prefers a mount of the hierarchy's
 * root to a mount of a subtree. Returns 0, or -ENOENT if there is none.
 */
int mounts_find_cgroup2(FILE *mountinfo, char *path, size_t size);
/* Does the same for /proc/self/mountinfo. Returns 0, -ENOENT, or another -errno of the file. */
int mounts_cgroup2(char *path, size_t size);
/* Are any controllers mounted as cgroup v1, alone or beside cgroup2? */
bool mounts_have_cgroup1(FILE *mountinfo);
/* Returns the remedy for a directory that is not on a cgroup2, with the root as an example. */
const char *mounts_cgroup2_hint(char hint[PATH_MAX + 64]);
/* Is the directory on a cgroup2 (bpffs) file system? Returns 1, 0, or -errno. */
int mounts_is_cgroup2(const char *path);
int mounts_is_bpffs(const char *path);
/*
 * Copies the path of the nearest directory that has one of the names: @path or a parent of it,
 * below the mount point. Returns false if there is none.
 */
bool mounts_find_named(const char *path, const char *const *names, char found[PATH_MAX]);
/* Returns 0 for a directory on a cgroup2 file system, or -errno with *err set. */
int mounts_need_cgroup2(const char *path, struct err *err);
/*
 * Finds the path of a cgroup by its id below the mount of mounts_cgroup2(). Returns 0, -ENOENT if
 * there is none, or another -errno.
 */
int mounts_cgroup2_path(__u64 id, char path[PATH_MAX]);
/* Is the cgroup2 directory the root of the host, not of a container? */
bool mounts_is_cgroup2_root(const char *path);

#endif
