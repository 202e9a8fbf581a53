/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one daemon of a folder of pins: a lock beside the one of kernel/pins.h, which is held only
 * while something is changed, so that commands work on while a daemon runs.
 *
 * The lock is on DIR/daemon, a folder without pins.  It must be in bpffs: that is what two daemons
 * that get into each other's way share, be they in containers with a /run each.
 */
#ifndef SLUICE_HOST_DAEMON_LOCK_H
#define SLUICE_HOST_DAEMON_LOCK_H

#include "base/err.h"

#define DAEMON_LOCK_DIR "daemon"

/* The descriptor that holds the claim; -EBUSY with EXIT_CONFLICT if another process has it. */
int daemon_lock_take(const char *bpffs, struct err *err);
/* Also removes the folder, and DIR if nothing is pinned there. */
void daemon_lock_release(const char *bpffs, int lock_fd);
/* Has a daemon claimed DIR? Its process id, 0 if there is none, -1 if it is not to be seen. */
int daemon_lock_holder(const char *bpffs);

#endif
