/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The wire plane: load, change, look at and unload it. Its state is what is pinned under DIR/wire,
 * and where the kernel has no tcx, filters that DIR/wire/sluice_w_ifaces lists.
 *
 * All of it acts in the network namespace that the calling thread is in, and one DIR serves one
 * namespace: wire_load() and the functions that change interfaces refuse another.
 */
#ifndef SLUICE_WIRE_WIRE_H
#define SLUICE_WIRE_WIRE_H

#include "base/err.h"
#include "kernel/flow_table.h"
#include "kernel/state_dir.h"
#include "wire/attach.h"
#include "wire/except.h"
#include "wire/options.h"

#include <sluice/wire.h>
#include <stdbool.h>

struct wire_result {
	enum load_outcome outcome;
	enum sluice_wire_attach_mode attach_mode;
	bool as_before;		   /* nothing of what was loaded differs */
	__u32 sets_before;	   /* of the table that was loaded; 0: none */
	struct wire_iface *ifaces; /* the caller frees */
	int count;
	__u32 verified_insns;	/* of the largest program */
	size_t routes_left_out; /* there was no room for them: answers follow wider ones */
};

/* All or nothing: on failure the kernel is as it was, and *err says why. */
int wire_load(const struct wire_options *options, struct wire_result *result, struct err *err);
/* Detaches and removes. The pins removed, 0 if there were none, or -errno. */
int wire_unload(const char *bpffs, struct err *err);
/* The same if the daemon was the last to load it; 0 if it was somebody else. */
int wire_unload_own(const char *bpffs, struct err *err);

/*
 * For the daemon: an interface that comes and one that goes. `roles` has SLUICE_WIRE_HOST or
 * SLUICE_WIRE_GATEWAY or both (the rest is found out), `master` is the bridge that is followed or
 * 0. Attaching to one that is attached already brings it up to date. Where the programs for such
 * an interface are loaded already, this takes some system calls and no verifier.
 */
int wire_attach_iface(const char *bpffs, const char *name, __u32 roles, __u32 master,
		      struct err *err);
/* Also for one that is gone from the kernel; 0 if it was not attached. */
int wire_detach_iface(const char *bpffs, __u32 ifindex, struct err *err);
/*
 * For the daemon, when addresses or routes have changed; *left_out is the number of routes for
 * which there is no room.
 */
int wire_refresh_routes(const char *bpffs, size_t *left_out, struct err *err);

struct wire_state {
	struct sluice_wire_meta meta;
	struct sluice_wire_counters counters; /* summed over CPUs */
	struct flow_table_usage usage;
	bool elsewhere; /* loaded in another network namespace than this one */
	struct wire_iface *ifaces;
	int count;
	struct wire_addrs except;
};

/* -ENOENT with *err set if it is not loaded; other ABI versions are refused, never misread. */
int wire_read(const char *bpffs, struct wire_state *state, struct err *err);
void wire_state_free(struct wire_state *state);

/* Is the interface no longer attached to? From another namespace, filters can't be seen. */
bool wire_is_gone(const struct wire_state *state, const struct wire_iface *iface);

/* What was loaded alone. */
int wire_meta(const char *bpffs, struct sluice_wire_meta *meta, struct err *err);

/* The interfaces alone, for whoever looks often; the caller frees, also on failure. */
int wire_ifaces(const char *bpffs, struct wire_iface **ifaces, int *count, struct err *err);

/* Called for each flow, live or not; age_ns is the time since either end was last heard. */
typedef void (*wire_flow_fn)(const struct sluice_wire_flow *flow, __u64 age_ns, void *arg);
int wire_flows(const char *bpffs, wire_flow_fn fn, void *arg, struct err *err);

/*
 * Removes the tc filters of ours from every interface of this namespace, whatever version made
 * them; for cleanup. Their count, or -errno.
 */
int wire_remove_filters(const char *bpffs, struct err *err);

#endif
