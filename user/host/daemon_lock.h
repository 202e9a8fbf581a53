/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Allows one daemon per pin directory. A process holds the lock of kernel/pins.h only during a
 * change, so that commands work while a daemon runs; the daemon holds this lock until it exits.
 *
 * The lock is on DIR/daemon, a directory without pins: daemons in containers may have separate
 * /run directories, but share the bpffs.
 */
#ifndef SLUICE_HOST_DAEMON_LOCK_H
#define SLUICE_HOST_DAEMON_LOCK_H

#include "base/err.h"

#include <stdbool.h>

#define DAEMON_LOCK_DIR "daemon"

/* Returns the descriptor that holds the lock; -EBUSY with EXIT_CONFLICT if another daemon has it.
 */
int daemon_lock_take(const char *bpffs, struct err *err);
/* Has another process removed DIR/daemon? If so, the lock does not exclude other daemons. */
bool daemon_lock_is_lost(const char *bpffs, int lock_fd);
/* Releases the lock. Removes DIR/daemon, and DIR if it is empty. */
void daemon_lock_release(const char *bpffs, int lock_fd);
/* Returns the process id of DIR's daemon; 0: there is none, -1: it is in another PID namespace. */
int daemon_lock_holder(const char *bpffs);

#endif
