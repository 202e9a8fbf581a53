/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SLUICE_STEER_NEEDS_H
#define SLUICE_STEER_NEEDS_H

#include "base/err.h"
#include "kernel/need.h"

#include <stdbool.h>

#define STEER_SWEEP_FALLBACK "new sockets are found later, by sweeps over all processes"

extern const struct needs steer_needs;

/*
 * Checks the capabilities of a command, and its permission to copy descriptors of other processes.
 * CAP_NET_ADMIN is required only if the command @attaches programs. Returns 0, or -errno with *err
 * set.
 */
int steer_caps_require(const char *command, bool attaches, struct err *err);

#endif
