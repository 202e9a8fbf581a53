/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SLUICE_HOLD_NEEDS_H
#define SLUICE_HOLD_NEEDS_H

#include "base/err.h"
#include "kernel/need.h"

extern const struct needs hold_needs;

/* Returns 0, or -EPERM with *err set: 'hold load' lacks a capability. */
int hold_caps_require(struct err *err);

#endif
