/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The wire programs: a pair for ingress and egress, loaded once for each kind of interface with
 * what it is for as a constant, so that what a kind has no use for costs nothing.
 */
#ifndef SLUICE_WIRE_PROGRAMS_H
#define SLUICE_WIRE_PROGRAMS_H

#include "base/err.h"
#include "kernel/object.h"

#include <sluice/wire.h>
#include <stdbool.h>

struct wire_bpf;

struct wire_pair {
	__u32 roles;
	struct wire_bpf *skel;
	int fd[2]; /* ingress, egress */
};

/* Loads a pair on the maps of the object (kernel/object.h), and so verifies it. */
int wire_pair_load(struct wire_pair *pair, struct object *object,
		   const struct sluice_wire_meta *meta, __u32 roles, struct err *err);
/* Pins both programs, in place of those of before. */
int wire_pair_pin(const struct wire_pair *pair, const struct object *object, struct err *err);
/* Removes the pins of a pair. */
void wire_pair_unpin(__u32 roles, const char *bpffs);
/* The pinned pair; where there is none, one is loaded and pinned. */
int wire_pair_get(struct wire_pair *pair, const struct sluice_wire_meta *meta, __u32 roles,
		  const char *bpffs, struct err *err);
/* Lets go of it; what is attached or pinned stays. Also for an empty one (descriptors of -1). */
void wire_pair_put(struct wire_pair *pair);

#endif
