/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One interface that wire mode is attached to: its two hooks, and its entry in the book, the map
 * that says what is attached to what.
 */
#ifndef SLUICE_WIRE_ATTACH_H
#define SLUICE_WIRE_ATTACH_H

#include "base/err.h"

#include <sluice/wire.h>
#include <stdbool.h>

/* An interface that is attached to, or would be. */
struct wire_iface {
	__u32 ifindex;
	struct sluice_wire_iface entry;
	bool gone;	  /* the interface is, or the link to it */
	__u32 prog_id[2]; /* ingress, egress; 0 if there is none */
};

/*
 * Gives the interface these programs (ingress, egress), new or in place of others; old_prog takes
 * descriptors of the others, where it holds -1.  It stands in the book before anything is attached.
 */
int wire_iface_attach(const char *bpffs, int ifaces_fd, struct wire_iface *iface,
		      const int prog_fd[2], int old_prog[2], struct err *err);
/* Takes everything away again; ifaces_fd may be -1, without a book. */
void wire_iface_detach(const char *bpffs, int ifaces_fd, const struct wire_iface *iface);
/* The way back from wire_iface_attach(): to the programs of before, or to none. */
void wire_iface_restore(const char *bpffs, int ifaces_fd, const struct wire_iface *iface,
			const struct wire_iface *before, const int old_prog[2]);
/* Removes the clsact that we made, if nothing is on it; had_filter: ours was, until now. */
void wire_iface_drop_clsact(const struct wire_iface *iface, bool had_filter);
/* Detaches one direction that is attached by a link. */
void wire_iface_drop_link(const char *bpffs, __u32 ifindex, bool out);
/* Fills in what is attached now. */
void wire_iface_inspect(const char *bpffs, struct wire_iface *iface);

/* "tcx", "clsact" */
const char *wire_attach_mode_name(__u32 attach_mode);

/* Lists that grow; the caller frees. 0 or -ENOMEM. */
int wire_iface_add(struct wire_iface **list, int *count, const struct wire_iface *iface);
/* One of a list, or NULL. */
struct wire_iface *wire_iface_numbered(struct wire_iface *list, int count, __u32 ifindex);

/* The pinned book; the descriptor, or -errno with *err set. */
int wire_iface_table_open(const char *bpffs, struct err *err);
/* Adds what the book has to the list. */
int wire_iface_table_read(int ifaces_fd, struct wire_iface **list, int *count);

#endif
