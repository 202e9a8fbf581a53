/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon's part of spreading flows over CPUs (steer/cpu/spread.h): keeps the programs on the
 * interfaces that the file names, as these come, go, or lose theirs.
 *
 * An interface that can't be had keeps nothing else from loading: that is said once, and tried
 * again.  What is in force is the kernel's; here stands what was said of it.
 */
#ifndef SLUICE_DAEMON_SPREAD_H
#define SLUICE_DAEMON_SPREAD_H

#include "base/loop.h"
#include "base/ports.h"
#include "base/rtnl_events.h"
#include "steer/cpu/spread.h"

struct run_spread;

/* NULL: no memory. */
struct run_spread *spread_section_new(struct loop *loop);
void spread_section_free(struct run_spread *spread);
/*
 * The plane was loaded with this `xdp` and `cpus` (what it shares with others is not looked at),
 * these ports and pins, all of which are copied.
 */
void spread_section_apply(struct run_spread *spread, const struct spread_options *wanted,
			  const struct ports *ports, const char *bpffs);
/* The plane was unloaded. */
void spread_section_stop(struct run_spread *spread);
/* Is all as it should be? If not, it is made so. */
void spread_section_check(struct run_spread *spread);
/* An interface of this namespace came, changed or went. */
void spread_section_link(struct run_spread *spread, const struct rtnl_link *link);

#endif
