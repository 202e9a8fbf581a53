/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loads, changes, reads and unloads the object reply. All state is pinned under DIR/reply; the
 * process keeps no state.
 */
#ifndef SLUICE_REPLY_REPLY_H
#define SLUICE_REPLY_REPLY_H

#include "base/err.h"
#include "base/ports.h"
#include "kernel/flow_table.h"
#include "kernel/links.h"
#include "kernel/load_outcome.h"

#include <sluice/counters.h>
#include <sluice/reply.h>
#include <stdbool.h>

struct reply_options {
	enum sluice_reply_mode mode;
	struct ports ports;
	__u32 table; /* flows */
	__u64 age_s;
	const char *bpffs;  /* the pin directory */
	const char *cgroup; /* a cgroup2 directory */
	bool any_peer_port; /* mode socket: a reply may go to any port of its peer */
	bool dry_run;	    /* verify only */
	bool by_daemon;	    /* marks the load for reply_unload_own() */
	bool follows;	    /* do nothing unless the daemon was the last to load */
};

struct reply_prog {
	char name[BPF_OBJ_NAME_LEN];
	__u32 attach_type;
	__u32 verified_insns;
};

struct reply_result {
	enum load_outcome outcome;
	struct sluice_reply_meta before; /* magic 0: nothing was loaded, or another ABI version */
	__u32 replaces;			 /* the ABI version that the load replaces, or 0 */
	bool as_before;			 /* the load changed nothing */
	struct reply_prog progs[HOOKS_MAX];
	int count;
};

/* Returns the kernel memory of a flow table for this number of flows, in bytes. */
__u64 reply_table_bytes(__u32 flows);
/* Loads or updates the object. Returns 0, or -errno with *err set, as object_commit() does. */
int reply_load(const struct reply_options *options, struct reply_result *result, struct err *err);
/* Detaches the programs and removes the pins. Returns the number of pins, or -errno. */
int reply_unload(const char *bpffs, struct err *err);
/* Unloads only if the daemon was the last to load; returns 0 otherwise. */
int reply_unload_own(const char *bpffs, struct err *err);

struct reply_state {
	struct sluice_reply_meta meta;
	struct hook_state hooks[HOOKS_MAX];
	int hook_count;
	struct sluice_reply_counters counters; /* summed over CPUs */
};

/* Reads the state. Returns -errno with *err set: -ENOENT if not loaded, -EPROTO for another ABI. */
int reply_read(const char *bpffs, struct reply_state *state, struct err *err);
/* Returns true if all programs of the mode are attached to the cgroup of the record. */
bool reply_attached(const char *bpffs, const struct sluice_reply_meta *meta);
const char *reply_mode_name(__u32 mode);
/* Copies the managed ports. */
void reply_ports(const struct sluice_reply_meta *meta, struct ports *ports);

/* Called for each flow, live or expired; @age_ns is the time since its last packet. */
typedef void (*reply_flow_fn)(const struct sluice_flow *flow, __u64 age_ns, void *arg);
/* Counts the flows in *usage, and calls @fn for each, unless @fn is NULL. */
int reply_flows(const char *bpffs, struct flow_table_usage *usage, reply_flow_fn fn, void *arg,
		struct err *err);

/* Opens the pinned flow table. Returns a descriptor, or -errno with *err set. */
int reply_table(const char *bpffs, struct err *err);

/*
 * Returns the ifindex, in the socket's namespace, on which the peer's last packet to the audited
 * socket arrived; 0 if the flow is not in the table, or if the peer is link-local. @fd is from
 * reply_table().
 */
__u32 reply_last_ifindex(int fd, const struct sluice_reply_meta *meta, __u64 cookie,
			 const struct sluice_audit *audit, const struct sluice_addr *peer,
			 __be16 peer_port_be);

typedef void (*reply_audit_fn)(__u64 cookie, const struct sluice_audit *audit, void *arg);
int reply_audits(const char *bpffs, reply_audit_fn fn, void *arg, struct err *err);

#endif
