/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon's part of steering: loads what the [steer] section says, and keeps groups and slots in
 * step with the sockets, at once where news of them come and at intervals in any case.
 *
 * All state is in the kernel (steer.h): ending the daemon, however it ends, changes nothing, and
 * the next one goes on from there.
 */
#ifndef SLUICE_DAEMON_STEER_H
#define SLUICE_DAEMON_STEER_H

#include "base/err.h"
#include "base/loop.h"
#include "base/rtnl_events.h"
#include "daemon/config.h"

struct run_steer;

/* `changed` is called when the number of groups is another. NULL: no memory. */
struct run_steer *steer_section_new(struct loop *loop, void (*changed)(void *arg), void *arg);
/* Before the loop is freed. What is loaded stays. */
void steer_section_free(struct run_steer *steer);
/*
 * Loads, or changes in place, what the configuration says, which has the section.  0, or -errno
 * with *err set and what was in force still in force.
 */
int steer_section_apply(struct run_steer *steer, const struct config *wanted, struct err *err);
/*
 * Unloads what this daemon or one before it has loaded; what a command was the last to load stays.
 */
void steer_section_drop(struct run_steer *steer, const char *bpffs);
/* Looks for what no news tell of: whether somebody has detached what spreads flows over CPUs. */
void steer_section_check(struct run_steer *steer);
/* An interface of this namespace came, changed or went. */
void steer_section_link(struct run_steer *steer, const struct rtnl_link *link);
/* Groups that are steered. */
unsigned int steer_section_groups(const struct run_steer *steer);

#endif
