/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The object steer: finds the reuseport groups on the managed ports, attaches a program to each,
 * and tracks the sockets that processes open and close. All state is pinned under DIR/steer; a
 * process keeps only a loader, to save time.
 */
#ifndef SLUICE_STEER_STEER_H
#define SLUICE_STEER_STEER_H

#include "base/err.h"
#include "base/ports.h"
#include "steer/group/group.h"
#include "steer/group/groups.h"
#include "steer/group/program.h"
#include "steer/sweep.h"

#include <sluice/steer.h>
#include <stdbool.h>

#define STEER_FLOWS_MIN	    64
#define STEER_FLOWS_MAX	    16777216
#define STEER_FLOWS_DEFAULT 65536
#define STEER_IDLE_MAX	    86400
#define STEER_IDLE_DEFAULT  120 /* nf_conntrack_udp_timeout_stream's default */

/* Time after a load during which policy load treats an unknown flow as older than the load. */
#define STEER_SETTLED_NS 5000000000ULL

struct steer_options {
	enum sluice_steer_policy policy;
	enum sluice_steer_generations generations;
	struct ports ports;
	__u32 flows; /* flows per group */
	__u64 idle_s;
	__u32 netns;	   /* inode number; 0: all */
	const char *bpffs; /* pin directory */
	bool dry_run;	   /* verify only */
	bool must_find;	   /* change nothing if there is no group to steer */
	bool by_daemon;	   /* the daemon loads; see @own_only of steer_unload() */
	bool follows;	   /* do nothing unless the daemon was the last to load */
};

/*
 * Loads steering, or updates it in place. A group that fails is reported to @fn, and does not
 * affect other groups. Sets *groups to the number of groups that are steered, or would be steered
 * in a dry run. A load without any group succeeds: 'sluice run' steers groups that are opened
 * later. If the number of flows changes, the tables start empty, and existing flows are recorded as
 * new. Returns 0, or -errno with *err set.
 */
int steer_load(struct steer_loader *loader, const struct steer_options *options, steer_event_fn fn,
	       void *arg, int *groups, struct err *err);
/*
 * Loads maps and a program in reserve, so that the setup of the next group takes only milliseconds.
 * A call after an unload frees the reserve.
 */
int steer_prepare(struct steer_loader *loader, const char *bpffs, struct err *err);
/*
 * Detaches all groups and removes the pins. With @own_only, does so only if the daemon was the last
 * to load. Returns the number of pins, or -errno with *err set.
 */
int steer_unload(const char *bpffs, bool own_only, steer_event_fn fn, void *arg, struct err *err);

/* Returns true if steering was loaded with these settings. */
bool steer_has_settings(const struct sluice_steer_meta *meta, const struct steer_options *options);
/* Returns true if the event reports a change of the groups or sockets that are steered. */
bool steer_event_is_change(const struct steer_event *event);
/* Returns the kernel memory of a group's flow table, in bytes. */
__u64 steer_table_bytes(__u32 flows);
const char *steer_policy_name(__u32 policy);
const char *steer_generations_name(__u32 by);

#endif
