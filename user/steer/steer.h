/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The steering plane: finds the reuseport groups on the managed ports, puts its program on each,
 * and keeps their sockets in step with what the processes do.  Its state is what is pinned under
 * DIR/steer; a process keeps at most a
 * loader.
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

/* How long policy load takes a flow that it does not know for one from before it was loaded. */
#define STEER_SETTLED_NS 5000000000ULL

struct steer_options {
	enum sluice_steer_policy policy;
	enum sluice_steer_generations generations;
	struct ports ports;
	__u32 flows; /* for each group */
	__u64 idle_s;
	__u32 netns;	   /* inode number; 0: all of them */
	const char *bpffs; /* folder of the pins */
	bool dry_run;	   /* verify, and change nothing */
	bool must_find;	   /* change nothing where there is no group to steer */
	bool by_daemon;	   /* for own_only of steer_unload() */
};

/*
 * Loads, or changes what is loaded.  A group that can't be taken is told by the news and does not
 * stop the others; *groups is the count of those that are steered (or would be).  No group is no
 * error: 'sluice run' takes them when they come.  With another number of flows the tables start
 * empty, and flows go on as new ones.
 */
int steer_load(struct steer_loader *loader, const struct steer_options *options, steer_event_fn fn,
	       void *arg, int *groups, struct err *err);
/*
 * Brings groups and slots in step with the sockets that there are.  -ENOENT with *err set if the
 * plane is not loaded.
 */
int steer_sweep(struct steer_loader *loader, const char *bpffs, steer_event_fn fn, void *arg,
		struct err *err);
/*
 * For a process that sweeps again and again: makes ready what a group that comes will need, so that
 * it is set up in milliseconds.  That is kept until the next call that does not need it.
 */
int steer_prepare(struct steer_loader *loader, const char *bpffs, struct err *err);
/*
 * Detaches all, and removes the pins: their number, 0 if there were none, or -errno.  With
 * own_only, only if the daemon was the last to load.
 */
int steer_unload(const char *bpffs, bool own_only, steer_event_fn fn, void *arg, struct err *err);

/* How many groups are left to the kernel as their namespace has its share (steer/group/quota.h). */
int steer_left_out(const char *bpffs, int *groups, int *namespaces, struct err *err);

const char *steer_policy_name(__u32 policy);
const char *steer_generations_name(__u32 by);
void steer_ports(const struct sluice_steer_meta *meta, struct ports *ports);

#endif
