/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SLUICE_CLI_CONTEXT_H
#define SLUICE_CLI_CONTEXT_H

#include "cli/environment.h"
#include "cli/output.h"

#include <stdbool.h>

/* The values of the global options. */
struct context {
	struct output output;
	const char *bpffs;     /* pin directory */
	const char *cgroup;    /* NULL: the host's cgroup2 root */
	struct location given; /* as on the command line; NULL: not given */
	const char *netns;     /* NULL: the current network namespace */
	bool verbose;
	char **argv; /* arguments of the process, for a command that executes another program */
};

#endif
