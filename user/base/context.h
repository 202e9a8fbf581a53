/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SLUICE_BASE_CONTEXT_H
#define SLUICE_BASE_CONTEXT_H

#include "base/opt.h"
#include "base/output.h"

#include <stdbool.h>

#define BPFFS_DEFAULT "/sys/fs/bpf/sluice"

/* Where to act: an option goes before the daemon's file, which goes before the environment. */
struct location {
	const char *bpffs;
	const char *cgroup;
};

/* Global options, and keys of section [global]. */
extern const struct opt location_opts[];

/* The global options. */
struct context {
	struct output output;
	const char *bpffs;     /* folder of the pins */
	const char *cgroup;    /* NULL: the host's cgroup2 root */
	struct location given; /* what the options alone say of these two; NULL: nothing */
	const char *netns;     /* NULL: this one */
	bool verbose;
};

#endif
