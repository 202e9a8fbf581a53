/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SLUICE_STEER_NEEDS_H
#define SLUICE_STEER_NEEDS_H

#include "kernel/need.h"

#define STEER_SWEEP_FALLBACK "only a sweep over all processes finds new sockets, later"

extern const struct needs steer_needs;

#endif
