// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/environment.h"

#include <stdlib.h>

const struct opt location_opts[] = {
	{ "bpffs", 0, "DIR", opt_path, offsetof(struct location, bpffs),
	  "pin directory (default: $SLUICE_BPFFS, or " BPFFS_DEFAULT ")" },
	{ "cgroup", 0, "DIR", opt_path, offsetof(struct location, cgroup),
	  "attach to this cgroup2 (default: $SLUICE_CGROUP, or the host's root)" },
	{ .name = NULL },
};

const char *environment_get(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}

static const char *first_of(const char *option, const char *file, const char *variable,
			    const char *preset)
{
	const char *value = option ? option : file;

	value = value ? value : environment_get(variable);
	return value ? value : preset;
}

struct location environment_location(const struct location *options, const struct location *file)
{
	static const struct location none;

	file = file ? file : &none;
	return (struct location){
		first_of(options->bpffs, file->bpffs, "SLUICE_BPFFS", BPFFS_DEFAULT),
		first_of(options->cgroup, file->cgroup, "SLUICE_CGROUP", NULL),
	};
}
