/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SLUICE_HOLD_NEEDS_H
#define SLUICE_HOLD_NEEDS_H

#include "kernel/need.h"

extern const struct needs hold_needs;

#endif
