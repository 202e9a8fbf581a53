/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The counters of groups that have ended, summed by port and namespace: without them, the counters
 * of a port would fall when a server ends. A pinned map in DIR/steer keeps them, so that they last
 * as long as the load. No program reads it; its only writer holds the lock on DIR.
 */
#ifndef SLUICE_STEER_GROUP_ENDED_H
#define SLUICE_STEER_GROUP_ENDED_H

#include "base/err.h"
#include "steer/group/stats.h"

#include <limits.h>
#include <linux/types.h>

/* The ports that have a sum of their own; the others share that of STEER_ENDED_OTHER. */
#define STEER_ENDED_MAX	  256
#define STEER_ENDED_OTHER "other"

struct steer_ended {
	char netns[NAME_MAX + 1]; /* as steer_netns_name() has it, or STEER_ENDED_OTHER */
	__u32 port;		  /* 0: of STEER_ENDED_OTHER */
	__u32 reserved;
	__u64 counters[STEER_COUNTERS];
};

/* Sets the name of a namespace: "host" for that of this thread, "unnamed" if it has none. */
void steer_netns_name(__u32 netns, char name[NAME_MAX + 1]);
/*
 * Creates and pins the map, unless that is done; replaces one of another layout, whose sums are
 * lost. Returns 0, or -errno with *err set.
 */
int steer_ended_create(const char *bpffs, struct err *err);
/* Adds the counters of a group, whose pins are removed next. Does nothing without the map. */
void steer_ended_add(const char *bpffs, const struct steer_group *group);
/*
 * Sets *ended to a list, which the caller frees. Returns its length; 0, and *ended NULL, without
 * the map or memory.
 */
size_t steer_ended_read(const char *bpffs, struct steer_ended **ended);

#endif
