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
 * root to a mount of a subtree. Returns 0, or -ENOENT if no cgroup2 is mounted.
 */
int mounts_find_cgroup2(FILE *mountinfo, char *path, size_t size);
/*
 * Finds the cgroup2 mount in /proc/self/mountinfo. Returns 0, -ENOENT, or -errno if the file cannot
 * be read.
 */
int mounts_cgroup2(char *path, size_t size);
/* Returns true if any controllers are mounted as cgroup v1, alone or beside cgroup2. */
bool mounts_have_cgroup1(FILE *mountinfo);
/* Returns the hint for a directory that is not on a cgroup2; it names the cgroup2 root, if any. */
const char *mounts_cgroup2_hint(char hint[PATH_MAX + 64]);
/* Returns 1 if the directory is on a cgroup2 (bpffs) file system, 0 if not, or -errno. */
int mounts_is_cgroup2(const char *path);
int mounts_is_bpffs(const char *path);
/*
 * Finds the nearest directory with one of the names, starting at @path and going up to the mount
 * point, and copies its path. Returns false if no directory matches.
 */
bool mounts_find_named(const char *path, const char *const *names, char found[PATH_MAX]);
/* Returns 0 for a directory on a cgroup2 file system, or -errno with *err set. */
int mounts_need_cgroup2(const char *path, struct err *err);
/*
 * Finds the path of a cgroup by its id, below the mount that mounts_cgroup2() finds. Returns 0,
 * -ENOENT if it does not exist there, or another -errno.
 */
int mounts_cgroup2_path(__u64 id, char path[PATH_MAX]);
/* Returns true if the cgroup2 directory is the root of the host, not of a container. */
bool mounts_is_cgroup2_root(const char *path);

#endif
