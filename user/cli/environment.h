/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Environment variables and their precedence: a command-line option overrides the daemon's file,
 * the file overrides the variable, and the variable overrides the default.
 */
#ifndef SLUICE_CLI_ENVIRONMENT_H
#define SLUICE_CLI_ENVIRONMENT_H

#include "cli/opt.h"

#define BPFFS_DEFAULT "/sys/fs/bpf/sluice"

/* Where objects are pinned and attached. */
struct location {
	const char *bpffs;  /* the pin directory */
	const char *cgroup; /* NULL: the host's cgroup2 root */
};

/* Global options that are also keys of section [global]. */
extern const struct opt location_opts[];

/*
 * Returns the effective location. A NULL member of @options or @file is not set there; @file may be
 * NULL.
 */
struct location environment_location(const struct location *options, const struct location *file);
/* Returns the value of a variable, or NULL if it is unset or empty. */
const char *environment_get(const char *name);

#endif
