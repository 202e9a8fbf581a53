/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon's side of hold: loads the [hold] section and sends the keepalives.
 *
 * The kernel holds what was tracked and sent (hold/maps.h): the next daemon continues with each
 * flow where this one has stopped. Without a daemon nothing is sent.
 */
#ifndef SLUICE_DAEMON_HOLD_H
#define SLUICE_DAEMON_HOLD_H

#include "base/err.h"
#include "base/log.h"
#include "base/loop.h"
#include "daemon/config_file.h"
#include "hold/probe.h"
#include "hold/sender.h"

#include <limits.h>

struct hold_section {
	struct loop *loop;
	struct loop_timer *timer;
	struct hold_sender *sender;   /* NULL: nothing is sent */
	struct hold_probe *probe;     /* NULL: none is wanted */
	struct hold_finding finding;  /* as logged */
	struct log_condition failure; /* why nothing is sent */
	char cgroup[PATH_MAX];
};

/* Sets up the timers. Returns 0 or -ENOMEM. */
int hold_section_init(struct hold_section *hold, struct loop *loop);
/* Stops sending, before the loop is freed. Tracking stays loaded. */
void hold_section_end(struct hold_section *hold);
/* Sends what is due, during a long operation. The thread is in the daemon's own namespace. */
void hold_section_run(struct hold_section *hold);
/*
 * Loads hold as the file has it, or updates it in place, and sends. Returns 0, or -errno with *err
 * set; if the load failed, the previous state is kept. With @follows it does nothing unless the
 * daemon has loaded hold.
 */
int hold_section_apply(struct hold_section *hold, struct config_file *file,
		       const struct context *context, bool follows, struct err *err);
/* Stops sending if another process has unloaded the object; goes on if one has changed it. */
void hold_section_check(struct hold_section *hold, const struct config *config, bool loaded);
/* Unloads hold if a daemon, this one or an earlier one, was the last to load it. */
void hold_section_drop(struct hold_section *hold, const char *bpffs);

#endif
