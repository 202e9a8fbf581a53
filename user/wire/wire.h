/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loads, changes, reads and unloads mode wire. The state consists of the pins in DIR/wire and,
 * without tcx, of the filters on the interfaces that DIR/wire/sluice_w_ifaces lists.
 *
 * The functions act in the network namespace of the calling thread. One DIR serves one namespace:
 * wire_load() and the functions that change interfaces reject any other.
 */
#ifndef SLUICE_WIRE_WIRE_H
#define SLUICE_WIRE_WIRE_H

#include "base/err.h"
#include "kernel/flow_table.h"
#include "kernel/load_outcome.h"
#include "wire/attach.h"
#include "wire/options.h"

#include <sluice/wire.h>
#include <stdbool.h>

struct wire_result {
	enum load_outcome outcome;
	enum sluice_wire_attach_mode attach_mode;
	bool as_before;			/* true if the load changed nothing */
	struct sluice_wire_meta before; /* magic 0: nothing was loaded, or another ABI version */
	__u32 replaces;			/* the other ABI version, or 0 */
	struct wire_addrs servers_before;
	char ifaces_before[512];   /* names of the interfaces before the load */
	struct wire_iface *ifaces; /* the caller frees the list */
	int count;
	__u32 verified_insns; /* verified instructions of the largest program */
};

/* Returns the kernel memory of the table for this number of flows. */
__u64 wire_table_bytes(__u32 flows);
/* Loads mode wire. Returns 0, or -errno with *err set, as object_commit() does. */
int wire_load(const struct wire_options *options, struct wire_result *result, struct err *err);
/* Unloads mode wire. Returns the number of removed pins, 0 if none, or -errno. */
int wire_unload(const char *bpffs, struct err *err);
/* Unloads mode wire only if the daemon was the last to load it; otherwise returns 0. */
int wire_unload_own(const char *bpffs, struct err *err);

/*
 * Attaches to an interface, or updates an attached one; for the daemon. @roles has
 * SLUICE_WIRE_HOST, SLUICE_WIRE_GATEWAY or both; the other roles are detected. @master is the
 * ifindex of the followed bridge, or 0. Uses pinned programs for these roles, if there are any,
 * without verifying them again.
 */
int wire_attach_iface(const char *bpffs, const char *name, __u32 roles, __u32 master,
		      struct err *err);
/* Detaches from an interface, even a deleted one. Also returns 0 if nothing was attached. */
int wire_detach_iface(const char *bpffs, __u32 ifindex, struct err *err);

struct wire_state {
	struct sluice_wire_meta meta;
	struct sluice_wire_counters counters; /* sums over all CPUs */
	struct flow_table_usage usage;
	bool elsewhere; /* loaded in another network namespace */
	struct wire_iface *ifaces;
	int count;
};

/* Reads all state. Returns -ENOENT with *err set if not loaded; refuses other ABI versions. */
int wire_read(const char *bpffs, struct wire_state *state, struct err *err);
void wire_state_free(struct wire_state *state);

/* Returns true if the interface is no longer attached. Other namespaces do not see its filters. */
bool wire_is_gone(const struct wire_state *state, const struct wire_iface *iface);

/* Reads only the record of the load. */
int wire_meta(const char *bpffs, struct sluice_wire_meta *meta, struct err *err);

/* Reads only the counters, summed over CPUs. Returns 0, or -errno with *err set. */
int wire_read_counters(const char *bpffs, struct sluice_wire_counters *counters, struct err *err);
/* Opens the pinned flow table. Returns a descriptor, or -errno with *err set. */
int wire_table(const char *bpffs, struct err *err);

/* Reads only the interfaces, for frequent polls; the caller frees the list, also on failure. */
int wire_ifaces(const char *bpffs, struct wire_iface **ifaces, int *count, struct err *err);

/* Called for each flow, live or expired; age_ns is the time since its last datagram. */
typedef void (*wire_flow_fn)(const struct sluice_wire_flow *flow, __u64 age_ns, void *arg);
int wire_flows(const char *bpffs, wire_flow_fn fn, void *arg, struct err *err);

/*
 * Removes the tc filters of any sluice version from the interfaces of this namespace: from those
 * that DIR lists, or from all if DIR has no list. Returns the number of filters, or -errno.
 */
int wire_remove_filters(const char *bpffs, struct err *err);

#endif
