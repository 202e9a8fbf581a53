/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Spreads the flows that come in on interfaces over CPUs, for policy cpu.  Its state is pinned in
 * the folder of the steering plane, beside those of the groups, and goes with it.
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

struct spread_options {
	const char *bpffs;
	const struct ports *ports;
	char ifname[SLUICE_SPREAD_LINKS][IFNAMSIZ]; /* in the network namespace that we are in */
	__u32 ifcount;
	__u16 cpus[SLUICE_SPREAD_CPUS];
	__u32 cpu_count;
	bool dry_run;	/* look for conflicts, run the verifier, change nothing */
	bool by_daemon; /* do nothing unless the daemon was the last to load the plane */
	bool in_force;	/* the programs that are on links have these ports and CPUs already */
	/*
	 * Told of an interface that can't be had, which is left out then; NULL: it is an error.
	 * `asked`: there is nothing to be seen that speaks against it, but the kernel refused.
	 */
	void (*left_out)(const char *ifname, bool asked, const struct err *err, void *arg);
	void *arg;
};

/*
 * Puts the programs on these interfaces and on no other, all (but those left out) or nothing.  An
 * interface that has an XDP program of another owner is a conflict.  With no interface at all, what
 * is loaded is removed; the number of its pins is the result then, else 0 or -errno.  What the
 * daemon had loaded is not its own any more when somebody else has changed this.
 */
int spread_load(const struct spread_options *options, struct err *err);
/*
 * For the daemon, of the load that it was the last to make: would another one put the programs on
 * other interfaces, since some came, went, or lost theirs?  `resting` has a bit for each of the
 * options' interfaces that are none to try for, *detached for each that somebody else took ours
 * from.
 */
bool spread_is_due(const struct spread_options *options, __u32 resting, __u32 *detached);

/* --- what there is to see */

extern const struct state_dir
	spread_state_dir; /* of which what is pinned is a part of the folder */

struct spread {
	struct sluice_spread_meta meta;
	bool gone[SLUICE_SPREAD_LINKS]; /* the interface is, or somebody has detached it */
	/* natively, a VLAN tag that the driver takes out is lost; false where we can't look */
	bool loses_vlan[SLUICE_SPREAD_LINKS];
	__u32 prog_id[SLUICE_SPREAD_LINKS];
	struct sluice_spread_counters counters;
	__u64 sent[SLUICE_SPREAD_CPUS]; /* datagrams, by CPU */
};

/* -ENOENT with *err set if it is not loaded. */
int spread_read(const char *bpffs, struct spread *xdp, struct err *err);
/* "native" */
const char *spread_mode_name(__u32 mode);

#endif
