/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon's part of spreading flows over CPUs (steer/cpu/spread.h): keeps the XDP programs
 * attached to the configured interfaces as interfaces come, go or lose the program.
 *
 * A failure on one interface does not affect the others; it is logged once and retried. The kernel
 * holds the state; this module only stores which messages it has logged.
 */
#ifndef SLUICE_DAEMON_SPREAD_H
#define SLUICE_DAEMON_SPREAD_H

#include "base/log.h"
#include "base/loop.h"
#include "base/ports.h"
#include "net/rtnl_events.h"
#include "steer/cpu/spread.h"

#include <limits.h>

struct spread_iface {
	struct log_condition failure;
	bool skipped;	/* set by the current load */
	__u32 ifindex;	/* interface that the program is attached to; 0: none */
	__u64 retry_us; /* time of the next try after the kernel refused the program */
};

struct spread_section {
	struct loop_timer *check;
	struct spread_options wanted; /* ifcount 0: disabled */
	struct ports ports;
	char bpffs[PATH_MAX];
	struct spread_iface iface[SLUICE_SPREAD_LINKS]; /* indexed as wanted.ifname */
	struct log_condition failure;			/* failure of the whole load */
	char *pins;					/* pins after the load */
};

/* Returns 0 or -ENOMEM. */
int spread_section_init(struct spread_section *spread, struct loop *loop);
/*
 * Applies the interfaces and CPUs of @wanted with these ports, below @bpffs. Copies all arguments.
 * Steering must be loaded.
 */
void spread_section_apply(struct spread_section *spread, const struct spread_options *wanted,
			  const struct ports *ports, const char *bpffs);
/* Stops following the interfaces. */
void spread_section_stop(struct spread_section *spread);
/* Loads again if an interface came, went or lost the program. */
void spread_section_check(struct spread_section *spread);
/* Handles a link event from the daemon's own namespace. */
void spread_section_link(struct spread_section *spread, const struct rtnl_link *link);

#endif
