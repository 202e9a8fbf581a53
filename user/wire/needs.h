/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SLUICE_WIRE_NEEDS_H
#define SLUICE_WIRE_NEEDS_H

#include "base/err.h"
#include "kernel/need.h"

extern const struct needs wire_needs;

/* Returns 0, or -EPERM with *err set: 'reply load --mode wire' lacks a capability. */
int wire_caps_require(struct err *err);
/* The kfuncs that the programs use if the kernel has them. */
struct wire_kfuncs {
	bool conntrack; /* lookups and changes of conntrack entries */
	bool cast;	/* casts of the context, to read kernel structures by plain loads */
};

struct wire_kfuncs wire_kfuncs_probe(void);

#endif
