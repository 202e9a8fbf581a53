/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SLUICE_STEER_NEEDS_H
#define SLUICE_STEER_NEEDS_H

#include "base/err.h"
#include "kernel/need.h"

#include <stdbool.h>

#define STEER_SWEEP_FALLBACK "only a sweep over all processes finds new sockets, later"

extern const struct needs steer_needs;

/*
 * Returns 0, or -errno with *err set: the command lacks a capability, or cannot take descriptors
 * of other processes. Only one that attaches programs needs CAP_NET_ADMIN.
 */
int steer_caps_require(const char *command, bool attaches, struct err *err);

#endif
