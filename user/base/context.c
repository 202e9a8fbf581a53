// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/context.h"

const struct opt location_opts[] = {
	{ "bpffs", 0, "DIR", opt_path, offsetof(struct location, bpffs),
	  "pin directory (default: $SLUICE_BPFFS, or " BPFFS_DEFAULT ")" },
	{ "cgroup", 0, "DIR", opt_path, offsetof(struct location, cgroup),
	  "attach to this cgroup2 (default: $SLUICE_CGROUP, or the host's root)" },
	{ .name = NULL },
};
