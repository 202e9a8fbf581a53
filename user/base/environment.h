/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The environment, and what overrides it: an option of the command line overrides the daemon's
 * file, which overrides a variable, which overrides the default.
 */
#ifndef SLUICE_BASE_ENVIRONMENT_H
#define SLUICE_BASE_ENVIRONMENT_H

#include "base/opt.h"

#define BPFFS_DEFAULT "/sys/fs/bpf/sluice"

/* The location of objects. */
struct location {
	const char *bpffs;  /* the pin directory */
	const char *cgroup; /* NULL: the host's cgroup2 root */
};

/* Global options that are also keys of section [global]. */
extern const struct opt location_opts[];

/*
 * Returns the location that applies. @options and @file (or NULL: there is none) hold what is given
 * there, and NULL for the rest.
 */
struct location environment_location(const struct location *options, const struct location *file);
/* Returns the value of a variable, or NULL if it is unset or empty. */
const char *environment_get(const char *name);

#endif
