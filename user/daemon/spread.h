/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon's side of spreading flows over CPUs (steer/cpu/spread.h): keeps the XDP programs on
 * the interfaces of the file as these come, go or lose their program.
 *
 * An interface that the program cannot be attached to does not keep the others from loading. That
 * failure is logged once and retried. The kernel holds the state; this module holds only what it
 * has logged.
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
	bool skipped;	/* by the current load */
	__u32 ifindex;	/* where the program is attached; 0: nowhere */
	__u64 retry_us; /* the kernel refused the program: no retry before this time */
};

struct spread_section {
	struct loop_timer *check;
	struct spread_options wanted; /* ifcount 0: disabled */
	struct ports ports;
	char bpffs[PATH_MAX];
	struct spread_iface iface[SLUICE_SPREAD_LINKS]; /* by the index of wanted.ifname */
	struct log_condition failure;			/* of the load as a whole */
	char *pins;					/* after the load, for pins_lost() */
};

/* Returns 0 or -ENOMEM. */
int spread_section_init(struct spread_section *spread, struct loop *loop);
/*
 * Applies the interfaces and CPUs of @wanted with these ports and pins; all of them are copied.
 * Steering is loaded.
 */
void spread_section_apply(struct spread_section *spread, const struct spread_options *wanted,
			  const struct ports *ports, const char *bpffs);
/* Stops following the interfaces. */
void spread_section_stop(struct spread_section *spread);
/* Loads again if an interface came, went or lost its program. */
void spread_section_check(struct spread_section *spread);
/* Handles a link event of the daemon's own namespace. */
void spread_section_link(struct spread_section *spread, const struct rtnl_link *link);

#endif
