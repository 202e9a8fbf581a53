/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon's side of steering: loads the [steer] section and keeps groups and slots in sync with
 * the sockets, on socket events and at intervals.
 *
 * The kernel holds all state (steer/steer.h): a daemon that ends, even by a crash, changes nothing,
 * and the next one continues.
 */
#ifndef SLUICE_DAEMON_STEER_H
#define SLUICE_DAEMON_STEER_H

#include "base/debounce.h"
#include "base/err.h"
#include "base/log.h"
#include "base/loop.h"
#include "daemon/config_file.h"
#include "daemon/spread.h"
#include "daemon/steer_log.h"

#include <limits.h>

struct steer_section {
	struct loop *loop;
	loop_fn changed;
	void *arg;
	struct steer_log log;
	struct socket_events *events; /* NULL: only sweeps find sockets */
	struct spread_section spread;
	struct loop_timer *regular, *after_events, *idle;
	struct debounce debounce;
	unsigned int streak; /* sweeps in a row that events had to wait for */
	struct steer_loader loader;
	char bpffs[PATH_MAX];
	char cgroup[PATH_MAX];
	struct err no_cgroup; /* why there is no cgroup */
	__u64 interval_us;
	__u64 bound_ns;	     /* the first bind since the last sweep; 0: none */
	__u64 lost;	     /* lost events that have been logged */
	__u64 lost_log_us;   /* when the next line about lost events may be logged */
	unsigned int groups; /* steered groups */
	bool active;
	struct log_condition failure;	     /* of the sweep */
	struct log_condition events_failure; /* of socket events */
};

/* Sets up the timers; calls @changed when the number of groups changes. Returns 0 or -ENOMEM. */
int steer_section_init(struct steer_section *steer, struct loop *loop, loop_fn changed, void *arg);
/* Closes descriptors, before the loop is freed.  Steering stays loaded. */
void steer_section_end(struct steer_section *steer);
/*
 * Loads steering as the file has it, or updates it in place.  Returns 0, or -errno with *err set
 * and the previous state kept. Attaches to the cgroup of @context, if there is one. With @follows
 * it does nothing unless the daemon has loaded steering.
 */
int steer_section_apply(struct steer_section *steer, struct config_file *file,
			const struct context *context, bool follows, struct err *err);
/* Retries hooks that the kernel has refused, or whose cgroup was missing. */
void steer_section_check(struct steer_section *steer, struct config_file *file,
			 const struct context *context);
/* Unloads steering if a daemon, this one or an earlier one, was the last to load it. */
void steer_section_drop(struct steer_section *steer, const char *bpffs);

#endif
