/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The wire programs: a pair for ingress and egress, loaded once for each kind of interface. The
 * roles are constants of the programs, so that code for other roles costs nothing.
 */
#ifndef SLUICE_WIRE_PROGRAMS_H
#define SLUICE_WIRE_PROGRAMS_H

#include "base/err.h"
#include "kernel/object.h"

#include <sluice/wire.h>
#include <stdbool.h>

struct wire_bpf;
struct wire_kfuncs;

struct wire_pair {
	__u32 roles;
	struct wire_bpf *skel;
	int fd[2]; /* ingress, egress */
};

/*
 * Loads and verifies a pair with the maps of the object (kernel/object.h). @kfuncs is
 * wire_kfuncs_probe().
 */
int wire_pair_load(struct wire_pair *pair, struct object *object,
		   const struct sluice_wire_meta *meta, __u32 roles,
		   const struct wire_kfuncs *kfuncs, struct err *err);
/* Pins both programs, replacing older pins. */
int wire_pair_pin(const struct wire_pair *pair, const struct object *object, struct err *err);
bool wire_pair_is_pinned(__u32 roles, const char *bpffs);
/* Removes the pins of a pair. */
void wire_pair_unpin(__u32 roles, const char *bpffs);
/*
 * Unpins the programs of all pairs. Returns false if a filter still uses one, or if this process
 * may not open programs by id; that program stays pinned.
 */
bool wire_pairs_are_unused(const char *bpffs);
/* Opens the pinned pair, or loads and pins one. */
int wire_pair_get(struct wire_pair *pair, const struct sluice_wire_meta *meta, __u32 roles,
		  const char *bpffs, struct err *err);
/* Releases the pair, which may be empty (descriptors of -1); attached and pinned programs stay. */
void wire_pair_put(struct wire_pair *pair);

#endif
