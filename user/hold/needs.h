/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SLUICE_HOLD_NEEDS_H
#define SLUICE_HOLD_NEEDS_H

#include "base/err.h"
#include "kernel/need.h"

extern const struct needs hold_needs;

/* Checks the capabilities of 'hold load'. Returns 0, or -EPERM with *err set. */
int hold_caps_require(struct err *err);

#endif
