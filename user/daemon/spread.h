/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon's part of spreading flows over CPUs (steer/cpu/spread.h): keeps the XDP programs on
 * the configured interfaces as interfaces come, go or lose their program.
 *
 * If the program cannot be attached to an interface, the others are loaded nevertheless; the
 * failure is logged once and retried. The kernel holds the state; this module only remembers what
 * it has logged.
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
 * Applies the interfaces and CPUs of @wanted, with these ports, below @bpffs; copies all arguments.
 * Steering must be loaded.
 */
void spread_section_apply(struct spread_section *spread, const struct spread_options *wanted,
			  const struct ports *ports, const char *bpffs);
/* Stops following the interfaces. */
void spread_section_stop(struct spread_section *spread);
/* Loads again if an interface came, went or lost its program. */
void spread_section_check(struct spread_section *spread);
/* Handles a link event from the daemon's own namespace. */
void spread_section_link(struct spread_section *spread, const struct rtnl_link *link);

#endif
