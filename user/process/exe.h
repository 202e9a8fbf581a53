/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The identity of the executable that a process runs. */
#ifndef SLUICE_PROCESS_EXE_H
#define SLUICE_PROCESS_EXE_H

#include <linux/types.h>
#include <stdbool.h>

struct exe {
	__u64 dev;
	__u64 ino; /* 0: unknown */
};

/*
 * Reads the inode that the kernel has cached, without a request to the file system: the FUSE server
 * of another user may never answer. Returns false, with ino 0, if the executable is unknown.
 */
bool exe_read(__u32 pid, struct exe *exe);
bool exe_equal(const struct exe *a, const struct exe *b);

#endif
