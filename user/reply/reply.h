/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The reply plane: load, change, look at and unload it.  Its state is what is pinned under
 * DIR/reply; nothing is kept in this process.
 */
#ifndef SLUICE_REPLY_REPLY_H
#define SLUICE_REPLY_REPLY_H

#include "base/err.h"
#include "base/ports.h"
#include "kernel/flow_table.h"
#include "kernel/links.h"
#include "kernel/state_dir.h"

#include <sluice/counters.h>
#include <sluice/reply.h>
#include <stdbool.h>

struct reply_options {
	enum sluice_reply_mode mode;
	struct ports ports;
	__u32 table; /* flows */
	__u64 age_s;
	const char *bpffs;  /* folder of the pins */
	const char *cgroup; /* a cgroup2 directory */
	bool dry_run;	    /* verify, and change nothing */
	bool by_daemon;	    /* for reply_unload_own() */
	bool follows;	    /* do nothing unless it is loaded, and by the daemon */
};

struct reply_prog {
	char name[BPF_OBJ_NAME_LEN];
	__u32 attach_type;
	__u32 verified_insns;
};

struct reply_result {
	enum load_outcome outcome;
	struct sluice_reply_meta before; /* what was loaded; magic 0: nothing */
	struct reply_prog progs[HOOKS_MAX];
	int count;
};

/* All or nothing: on failure the kernel is as it was, and *err says why. */
int reply_load(const struct reply_options *options, struct reply_result *result, struct err *err);
/* Detaches and removes. The pins removed, 0 if there were none, or -errno. */
int reply_unload(const char *bpffs, struct err *err);
/* The same if the daemon was the last to load it; 0 if it was somebody else. */
int reply_unload_own(const char *bpffs, struct err *err);

struct reply_state {
	struct sluice_reply_meta meta;
	struct hook_state hooks[HOOKS_MAX];
	int hook_count;
	struct sluice_reply_counters counters; /* summed over CPUs */
};

/* -ENOENT with *err set if it is not loaded; other ABI versions are refused, never misread. */
int reply_read(const char *bpffs, struct reply_state *state, struct err *err);
const char *reply_mode_name(__u32 mode);
/* The ports in force. */
void reply_ports(const struct sluice_reply_meta *meta, struct ports *ports);

/* Called for each flow, live or not; age_ns is the time since the peer was last heard. */
typedef void (*reply_flow_fn)(const struct sluice_flow *flow, __u64 age_ns, void *arg);
/* Visits every flow (fn may be NULL) and fills in *fill. */
int reply_flows(const char *bpffs, struct flow_table_usage *fill, reply_flow_fn fn, void *arg,
		struct err *err);

/* Opens the flow table of what is loaded: a descriptor, or -errno with *err set. */
int reply_table(const char *bpffs, struct err *err);

/*
 * The interface that a socket has heard a peer by, an index of the socket's namespace; 0 if that is
 * not known (any more).  `fd` is from reply_table().
 */
__u32 reply_last_ifindex(int fd, const struct sluice_reply_meta *meta, __u64 cookie,
			 const struct sluice_addr *peer, __be16 peer_port_be);

typedef void (*reply_audit_fn)(__u64 cookie, const struct sluice_audit *audit, void *arg);
int reply_audits(const char *bpffs, reply_audit_fn fn, void *arg, struct err *err);

/* The cgroup directory with this id below the cgroup2 root; -ENOENT if it is gone. */
int reply_cgroup_path(__u64 id, char path[PATH_MAX]);

#endif
