/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SLUICE_REPLY_NEEDS_H
#define SLUICE_REPLY_NEEDS_H

#include "kernel/need.h"

extern const struct needs reply_needs;

#endif
