/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Spreads the ingress flows of interfaces over CPUs, for policy cpu. The state is pinned in
 * DIR/steer next to the groups, and unloaded with them.
 */
#ifndef SLUICE_STEER_CPU_SPREAD_H
#define SLUICE_STEER_CPU_SPREAD_H

#include "base/err.h"
#include "base/ports.h"
#include "kernel/state_dir.h"

#include <linux/types.h>
#include <net/if.h>
#include <sluice/spread.h>
#include <stdbool.h>

/* The pin of the tracepoint that counts lost datagrams, in DIR/steer. */
#define SPREAD_PIN_LOST "sluice_x_lost"

struct spread_options {
	const char *bpffs;
	const struct ports *ports;
	char ifname[SLUICE_SPREAD_LINKS][IFNAMSIZ]; /* names in the current network namespace */
	__u32 ifcount;
	__u16 cpus[SLUICE_SPREAD_CPUS];
	__u32 cpu_count;
	bool dry_run;	    /* only checks for conflicts and runs the verifier */
	bool by_daemon;	    /* do nothing unless the daemon was the last to load */
	bool keep_programs; /* attached programs already have these ports and CPUs */
	/*
	 * Called for each interface that is skipped; if NULL, the load fails instead. @refused is
	 * true if the checks have passed, but the kernel refused to attach.
	 */
	void (*left_out)(const char *ifname, bool refused, const struct err *err, void *arg);
	void *arg;
};

/*
 * Attaches the programs to exactly the given interfaces, except skipped interfaces, or changes
 * nothing. An XDP program of another owner is a conflict. Returns 0, or -errno with *err set.
 * Without any interface, unloads the spread and returns the number of pins. A load by a command
 * ends the daemon's ownership.
 */
int spread_load(const struct spread_options *options, struct err *err);
/*
 * Returns true if the daemon must reload, because an interface was added, removed or detached.
 * Returns false if a command was the last to load. Bit i of @resting skips interface i of the
 * options. Bit i of *detached is set if another process has detached the program of interface i.
 */
bool spread_is_due(const struct spread_options *options, __u32 resting, __u32 *detached);

extern const struct state_dir spread_state_dir; /* some of the pins in DIR/steer */

struct spread {
	struct sluice_spread_meta meta;
	bool gone[SLUICE_SPREAD_LINKS]; /* removed, or detached by another process */
	/* native XDP loses VLAN tags that the driver strips; false if this is unknown */
	bool loses_vlan[SLUICE_SPREAD_LINKS];
	__u32 prog_id[SLUICE_SPREAD_LINKS];
	struct sluice_spread_counters counters;
	__u64 sent[SLUICE_SPREAD_CPUS]; /* datagrams sent to each CPU */
};

/* Reads the state of the spread. Returns -ENOENT with *err set if the spread is not loaded. */
int spread_read(const char *bpffs, struct spread *xdp, struct err *err);
/* Returns "native" or "generic". */
const char *spread_mode_name(__u32 mode);

#endif
