/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SLUICE_MEET_NEEDS_H
#define SLUICE_MEET_NEEDS_H

#include "kernel/need.h"

extern const struct needs meet_needs;

#endif
