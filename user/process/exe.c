// SPDX-License-Identifier: GPL-2.0-or-later
#include "process/exe.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

bool exe_read(__u32 pid, struct exe *exe)
{
	struct statx st;
	char path[64];

	*exe = (struct exe){ 0 };
	snprintf(path, sizeof(path), "/proc/%u/exe", pid);
	if (statx(AT_FDCWD, path, AT_STATX_DONT_SYNC, STATX_INO, &st))
		return false;
	exe->dev = (__u64)st.stx_dev_major << 32 | st.stx_dev_minor;
	exe->ino = st.stx_ino;
	return exe->ino;
}

bool exe_equal(const struct exe *a, const struct exe *b)
{
	return a->ino && a->ino == b->ino && a->dev == b->dev;
}
