/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the pseudo file systems are mounted that sluice needs: cgroup2 and bpffs. */
#ifndef SLUICE_BASE_MOUNTS_H
#define SLUICE_BASE_MOUNTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/*
 * The first cgroup2 mount in a mountinfo file (proc(5)), which is /sys/fs/cgroup where all
 * controllers are v2 and /sys/fs/cgroup/unified in systemd's hybrid layout.  A mount of the
 * hierarchy's root is preferred to one of a subtree.  -ENOENT if there is none.
 */
int mounts_find_cgroup2(FILE *mountinfo, char *path, size_t size);
/* The same for this process, from /proc/self/mountinfo; another -errno if it can't be looked at. */
int mounts_cgroup2(char *path, size_t size);
/* Are controllers mounted as version 1, beside or instead of cgroup2? */
bool mounts_have_cgroup1(FILE *mountinfo);
/* Is the directory on a cgroup2 (bpffs) file system?  1, 0, or -errno. */
int mounts_is_cgroup2(const char *path);
int mounts_is_bpffs(const char *path);
/* Is the cgroup2 directory the root of the whole host, and not of a container? */
bool mounts_is_cgroup2_root(const char *path);

#endif
