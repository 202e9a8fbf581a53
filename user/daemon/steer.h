/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon's part of steering: loads the [steer] section. Updates groups and slots to match the
 * sockets, on socket events and at intervals.
 *
 * The kernel holds all state (steer/steer.h). If the daemon exits or crashes, steering does not
 * change, and the next daemon continues.
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
	unsigned int streak; /* number of consecutive sweeps that delayed events */
	struct steer_loader loader;
	char bpffs[PATH_MAX];
	char cgroup[PATH_MAX];
	struct err no_cgroup; /* why no cgroup is in use */
	__u64 interval_us;
	__u64 bound_ns;	     /* time of the first bind since the last sweep; 0: none */
	__u64 lost;	     /* number of lost events that have been logged */
	__u64 lost_log_us;   /* earliest time of the next message about lost events */
	unsigned int groups; /* number of steered groups */
	bool active;
	struct log_condition failure;	     /* failure of the sweeps */
	struct log_condition events_failure; /* failure of the socket events */
};

/*
 * Sets up the timers. @changed is called when the number of groups changes. Returns 0 or -ENOMEM.
 */
int steer_section_init(struct steer_section *steer, struct loop *loop, loop_fn changed, void *arg);
/* Closes all descriptors; call it before the loop is freed. Steering stays loaded. */
void steer_section_end(struct steer_section *steer);
/*
 * Loads steering with the settings of the file, or updates it in place. Uses the cgroup of
 * @context, if any. With @follows, does nothing unless the daemon was the last to load steering.
 * Returns 0, or -errno with *err set; a failure keeps the previous state.
 */
int steer_section_apply(struct steer_section *steer, struct config_file *file,
			const struct context *context, bool follows, struct err *err);
/*
 * Reattaches hooks that another process has detached, or that failed because the kernel refused
 * them or the cgroup was missing.
 */
void steer_section_check(struct steer_section *steer, struct config_file *file,
			 const struct context *context);
/* Returns the number of socket events lost since the last load. */
__u64 steer_section_lost(const struct steer_section *steer);
/* Unloads steering if a daemon (this or an earlier daemon) loaded it last. */
void steer_section_drop(struct steer_section *steer, const char *bpffs);

#endif
