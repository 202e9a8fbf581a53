/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Spreads the ingress flows of interfaces over CPUs, for policy cpu.  Its state is pinned in
 * DIR/steer beside the groups, and is unloaded with them.
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
	char ifname[SLUICE_SPREAD_LINKS][IFNAMSIZ]; /* in the current network namespace */
	__u32 ifcount;
	__u16 cpus[SLUICE_SPREAD_CPUS];
	__u32 cpu_count;
	bool dry_run;	    /* check for conflicts and verify only */
	bool by_daemon;	    /* do nothing unless the daemon was the last to load */
	bool keep_programs; /* attached programs have these ports and CPUs already */
	/*
	 * Reports an interface that is skipped; NULL makes it an error.  @refused: the checks
	 * passed, but the kernel refused to attach.
	 */
	void (*left_out)(const char *ifname, bool refused, const struct err *err, void *arg);
	void *arg;
};

/*
 * Attaches the programs to exactly these interfaces (except skipped ones), or changes nothing.  An
 * XDP program of another owner is a conflict.  Returns 0 or -errno.  Without any interface it
 * unloads the spread and returns the number of pins.  A change by a command ends the daemon's
 * ownership.
 */
int spread_load(const struct spread_options *options, struct err *err);
/*
 * Would a reload by the daemon, if it was the last to load, change the interfaces?  Some may have
 * been added, removed, or detached.  Bit i of @resting skips interface i of the options; bit i of
 * *detached reports that another process has detached its program.
 */
bool spread_is_due(const struct spread_options *options, __u32 resting, __u32 *detached);

extern const struct state_dir spread_state_dir; /* a part of the pins in DIR/steer */

struct spread {
	struct sluice_spread_meta meta;
	bool gone[SLUICE_SPREAD_LINKS]; /* removed, or detached by another process */
	/* native XDP loses the VLAN tag that the driver strips; false if that is unknown */
	bool loses_vlan[SLUICE_SPREAD_LINKS];
	__u32 prog_id[SLUICE_SPREAD_LINKS];
	struct sluice_spread_counters counters;
	__u64 sent[SLUICE_SPREAD_CPUS]; /* datagrams, by CPU */
};

/* Returns -ENOENT with *err set if the spread is not loaded. */
int spread_read(const char *bpffs, struct spread *xdp, struct err *err);
/* Returns "native" or "generic". */
const char *spread_mode_name(__u32 mode);

#endif
