/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a command acts. */
#ifndef SLUICE_PLACE_H
#define SLUICE_PLACE_H

#include "command.h"

#include <limits.h>

/* The cgroup of --cgroup, else the host's cgroup2 root. */
int place_cgroup(const struct context *context, char path[PATH_MAX], struct err *err);

#endif
