/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One interface of mode wire: its two hooks, and its entry in sluice_w_ifaces, the map that lists
 * the attached interfaces.
 */
#ifndef SLUICE_WIRE_ATTACH_H
#define SLUICE_WIRE_ATTACH_H

#include "base/err.h"

#include <sluice/wire.h>
#include <stdbool.h>

/* An interface to which mode wire is, or will be, attached. */
struct wire_iface {
	__u32 ifindex;
	struct sluice_wire_iface entry;
	bool gone;	  /* the interface, or a link to it, no longer exists */
	__u32 prog_id[2]; /* ingress, egress; 0 without a program */
	/* Set by wire_iface_attach(), for wire_iface_keep() and wire_iface_restore(). */
	bool was_attached;
	struct sluice_wire_iface entry_before;
	int prog_before[2]; /* descriptors of the replaced programs, or -1 */
};

/*
 * Attaches these programs (ingress, egress), or replaces attached ones in place. An attached
 * interface keeps its attach mode. Writes the map entry first, so that a later load finds what a
 * killed loader has left. The caller must then call wire_iface_keep() or wire_iface_restore().
 */
int wire_iface_attach(const char *bpffs, int ifaces_fd, struct wire_iface *iface,
		      const int prog_fd[2], struct err *err);
/* Releases the replaced programs. */
void wire_iface_keep(struct wire_iface *iface);
/* Reverts wire_iface_attach(), even if that failed. */
void wire_iface_restore(const char *bpffs, int ifaces_fd, struct wire_iface *iface);
/* Detaches both directions, and removes the map entry unless ifaces_fd is negative. */
void wire_iface_detach(const char *bpffs, int ifaces_fd, const struct wire_iface *iface);
/*
 * Removes an unused clsact that sluice created. @had_filter: the interface had sluice's filter
 * until now.
 */
void wire_iface_drop_clsact(const struct wire_iface *iface, bool had_filter);
/* Detaches the link of one direction. */
void wire_iface_drop_link(const char *bpffs, __u32 ifindex, bool out);
/* Reads the ids of the programs that are attached now. */
void wire_iface_inspect(const char *bpffs, struct wire_iface *iface);

/* Returns SLUICE_WIRE_TCX, or SLUICE_WIRE_CLSACT on a kernel without tcx. */
__u32 wire_attach_mode(void);
/* Returns "tcx" or "clsact". */
const char *wire_attach_mode_name(__u32 attach_mode);

/* Appends to a list, which the caller frees. Returns 0 or -ENOMEM. */
int wire_iface_add(struct wire_iface **list, int *count, const struct wire_iface *iface);
/* Returns the element with this ifindex, or NULL. */
struct wire_iface *wire_iface_numbered(struct wire_iface *list, int count, __u32 ifindex);

/* Opens the pinned sluice_w_ifaces; returns a descriptor, or -errno with *err set. */
int wire_iface_table_open(const char *bpffs, struct err *err);
/* Appends all entries of the map to the list; the caller frees it, also on failure. */
int wire_iface_table_read(const char *bpffs, struct wire_iface **list, int *count, struct err *err);

#endif
