// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/files.h"

#include <sys/resource.h>

void files_raise_limit(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files))
		return;
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
}
