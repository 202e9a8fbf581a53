/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon's part of hold: loads the [hold] section and sends the keepalives.
 *
 * Pinned maps hold the state of each flow (hold/maps.h), so the next daemon continues from there.
 * Without a daemon, no keepalives are sent.
 */
#ifndef SLUICE_DAEMON_HOLD_H
#define SLUICE_DAEMON_HOLD_H

#include "base/err.h"
#include "base/log.h"
#include "base/loop.h"
#include "daemon/config_file.h"
#include "hold/sender.h"
#include "nat/lifetime_watch.h"

#include <limits.h>

struct hold_section {
	struct loop *loop;
	struct loop_timer *timer;
	struct hold_sender *sender;	    /* NULL: no keepalives are sent */
	struct lifetime_watch *probe;	    /* NULL: the file has no probe key */
	struct stun_endpoint server;	    /* server of the probe */
	struct nat_finding finding;	    /* last logged result of the probe */
	struct log_condition probe_failure; /* why the last probe had no result */
	struct log_condition failure;	    /* why no keepalives are sent */
	char cgroup[PATH_MAX];
};

/* Sets up the timers. Returns 0 or -ENOMEM. */
int hold_section_init(struct hold_section *hold, struct loop *loop);
/* Stops sending; call it before the loop is freed. The programs stay loaded. */
void hold_section_end(struct hold_section *hold);
/*
 * Sends the keepalives that are due; for use during long operations. The calling thread must be in
 * the daemon's own network namespace.
 */
void hold_section_run(struct hold_section *hold);
/*
 * Loads hold with the settings of the file, or updates it in place, and starts sending. Returns 0,
 * or -errno with *err set; a failed load keeps the previous state. With @follows, does nothing
 * unless the daemon was the last to load hold.
 */
int hold_section_apply(struct hold_section *hold, struct config_file *file,
		       const struct context *context, bool follows, struct err *err);
/*
 * Stops sending if another process has unloaded hold; restarts sending if another process has
 * changed it.
 */
void hold_section_check(struct hold_section *hold, const struct config *config, bool loaded);
/* Unloads hold if a daemon (this or an earlier daemon) loaded it last. */
void hold_section_drop(struct hold_section *hold, const char *bpffs);

#endif
