// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/context.h"

#include <stdlib.h>

const struct opt location_opts[] = {
	{ "bpffs", 0, "DIR", opt_path, offsetof(struct location, bpffs),
	  "pin directory (default: $SLUICE_BPFFS, or " BPFFS_DEFAULT ")" },
	{ "cgroup", 0, "DIR", opt_path, offsetof(struct location, cgroup),
	  "attach to this cgroup2 (default: $SLUICE_CGROUP, or the host's root)" },
	{ .name = NULL },
};

const char *from_environment(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}

void context_locate(struct context *context, const struct location *given)
{
	context->given = *given;
	context->bpffs = given->bpffs ? given->bpffs : from_environment("SLUICE_BPFFS");
	if (!context->bpffs)
		context->bpffs = BPFFS_DEFAULT;
	context->cgroup = given->cgroup ? given->cgroup : from_environment("SLUICE_CGROUP");
}
