/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SLUICE_BASE_CONTEXT_H
#define SLUICE_BASE_CONTEXT_H

#include "base/output.h"

#include <stdbool.h>

/* The global options. */
struct context {
	struct output output;
	const char *bpffs;  /* folder of the pins */
	bool bpffs_given;   /* by the option, not by default */
	const char *cgroup; /* NULL: the host's cgroup2 root */
	const char *netns;  /* NULL: this one */
	bool verbose;
};

#endif
