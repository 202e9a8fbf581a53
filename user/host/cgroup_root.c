// SPDX-License-Identifier: GPL-2.0-or-later
#include "host/cgroup_root.h"

#include "kernel/mounts.h"

#include <errno.h>
#include <stdio.h>

int cgroup_root_path(const struct context *context, char path[PATH_MAX], struct err *err)
{
	if (context->cgroup) {
		snprintf(path, PATH_MAX, "%s", context->cgroup);
		return 0;
	}
	if (mounts_cgroup2(path, PATH_MAX))
		return err_hint(
			err,
			err_set(err, EXIT_LACKING, ENOENT, "no cgroup2 file system is mounted"),
			"mount it ('mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified'), or"
			" name a directory with --cgroup");
	if (mounts_is_cgroup2_root(path))
		return 0;
	return err_hint(err,
			err_set(err, EXIT_USAGE, EINVAL,
				"cgroup %s is a container's subtree, not the host's root", path),
			"mount the host's root and name it with --cgroup, or name the subtree to"
			" cover only its sockets");
}
