/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Determines the cgroup to which a command attaches. */
#ifndef SLUICE_HOST_CGROUP_ROOT_H
#define SLUICE_HOST_CGROUP_ROOT_H

#include "base/err.h"
#include "cli/context.h"

#include <limits.h>

/*
 * Copies the path of --cgroup or, without it, of the host's cgroup2 root. Returns 0, or -errno with
 * *err set.
 */
int cgroup_root_path(const struct context *context, char path[PATH_MAX], struct err *err);

#endif
