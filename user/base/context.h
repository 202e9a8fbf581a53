/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SLUICE_BASE_CONTEXT_H
#define SLUICE_BASE_CONTEXT_H

#include "base/opt.h"
#include "base/output.h"

#include <stdbool.h>

#define BPFFS_DEFAULT "/sys/fs/bpf/sluice"

/* The location of objects. Options override the daemon's file, which overrides the environment. */
struct location {
	const char *bpffs;
	const char *cgroup;
};

/* Global options that are also keys of section [global]. */
extern const struct opt location_opts[];

/* The values of the global options. */
struct context {
	struct output output;
	const char *bpffs;     /* pin directory */
	const char *cgroup;    /* NULL: the host's cgroup2 root */
	struct location given; /* from the command line only; NULL where an option is absent */
	const char *netns;     /* NULL: the current one */
	bool verbose;
	char **argv; /* of the process, for a command that executes another program */
};

/* Returns the value of a variable of the environment, or NULL if it is unset or empty. */
const char *from_environment(const char *name);
/* Sets the location of objects from the command line, else the environment, else the default. */
void context_locate(struct context *context, const struct location *given);

#endif
