/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SLUICE_WIRE_NEEDS_H
#define SLUICE_WIRE_NEEDS_H

#include "kernel/need.h"

extern const struct needs wire_needs;

/* Can programs change conntrack entries on this kernel? */
bool wire_has_conntrack(void);

#endif
