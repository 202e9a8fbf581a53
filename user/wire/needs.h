/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SLUICE_WIRE_NEEDS_H
#define SLUICE_WIRE_NEEDS_H

#include "base/err.h"
#include "kernel/need.h"

extern const struct needs wire_needs;

/* Returns 0, or -EPERM with *err set: 'reply load --mode wire' lacks a capability. */
int wire_caps_require(struct err *err);
/* Can programs change conntrack entries on this kernel? */
bool wire_has_conntrack(void);

#endif
