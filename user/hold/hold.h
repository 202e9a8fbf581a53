/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The object hold: loads, updates, reads and unloads the programs that track flows. All state is
 * pinned under DIR/hold. The daemon sends the keepalives (hold/sender.h).
 */
#ifndef SLUICE_HOLD_HOLD_H
#define SLUICE_HOLD_HOLD_H

#include "base/err.h"
#include "base/ports.h"
#include "kernel/links.h"
#include "kernel/load_outcome.h"

#include <netinet/in.h>
#include <sluice/hold.h>
#include <stdbool.h>

#define HOLD_TABLE_MIN	   64
#define HOLD_TABLE_MAX	   4194304
#define HOLD_TABLE_DEFAULT 16384
#define HOLD_MAX_MAX	   31536000
#define HOLD_MAX_DEFAULT   3600

struct hold_options {
	struct ports ports;
	__u32 table; /* size of the flow table, in flows */
	__u64 max_s; /* in seconds; 0: no limit */
	__u32 netns; /* inode number; 0: all */
	const char *bpffs;
	const char *cgroup; /* a cgroup2 directory */
	bool dry_run;	    /* verify only */
	bool by_daemon;	    /* the daemon loads and then owns the object; see hold_unload_own() */
	bool follows;	    /* do nothing unless the daemon owns the object */
};

struct hold_prog {
	char name[BPF_OBJ_NAME_LEN];
	__u32 attach_type;
	__u32 verified_insns;
};

struct hold_result {
	enum load_outcome outcome;	/* LOAD_LEFT: `follows` prevented the load */
	struct sluice_hold_meta before; /* magic 0: nothing was loaded, or another ABI version */
	__u32 replaces;			/* the other ABI version, or 0 */
	bool as_before;			/* the settings are unchanged */
	bool missed_closes;		/* the tables start empty; see hold_load() */
	struct hold_prog progs[HOOKS_MAX];
	int count;
};

/* Returns the kernel memory of the tables for this number of flows, in bytes. */
__u64 hold_table_bytes(__u32 flows);
/*
 * Loads the programs, or updates them in place. Returns 0, or -errno with *err set and the kernel
 * unchanged. If the program that detects closed sockets was detached, the tables start empty:
 * otherwise the daemon would send keepalives for sockets that were closed while it was detached.
 */
int hold_load(const struct hold_options *options, struct hold_result *result, struct err *err);
/*
 * Detaches the programs and removes the pins. Returns the number of pins, or -errno with *err set.
 */
int hold_unload(const char *bpffs, struct err *err);
/* Unloads the object if the daemon owns it; otherwise returns 0. */
int hold_unload_own(const char *bpffs, struct err *err);

struct hold_state {
	struct sluice_hold_meta meta;
	struct hook_state hooks[HOOKS_MAX];
	int hook_count;
	struct sluice_hold_counters counters; /* summed over CPUs */
	struct sluice_hold_status status;
	bool detached; /* at least one program is detached */
	bool sending;  /* a daemon has updated the status within the last 20 s */
};

/*
 * Reads the state. Returns 0, or -errno with *err set: -ENOENT if hold is not loaded, -EPROTO for
 * another ABI version.
 */
int hold_read(const char *bpffs, struct hold_state *state, struct err *err);
/* Returns true if all programs are attached to the cgroup in @meta. */
bool hold_attached(const char *bpffs, const struct sluice_hold_meta *meta);
/* Sets *ports to the managed ports. */
void hold_ports(const struct sluice_hold_meta *meta, struct ports *ports);
/* Returns the name of a state, such as "kept". */
const char *hold_state_name(unsigned int state);
/* Returns the name of a source of the interval, such as "probe". */
const char *hold_source_name(unsigned int source);

#endif
