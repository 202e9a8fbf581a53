/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The lock that allows only one daemon per pin directory. The daemon holds it until it exits.
 * Commands work while a daemon runs, since all processes hold the lock of kernel/pins_lock.h only
 * during a change.
 *
 * The lock is on DIR/daemon, a directory without pins: daemons in containers may have separate
 * /run directories, but share the bpffs.
 */
#ifndef SLUICE_HOST_DAEMON_LOCK_H
#define SLUICE_HOST_DAEMON_LOCK_H

#include "base/err.h"

#include <stdbool.h>

#define DAEMON_LOCK_DIR "daemon"

/*
 * Returns a descriptor that holds the lock, or -errno with *err set; -EBUSY (EXIT_CONFLICT) if
 * another daemon holds it.
 */
int daemon_lock_take(const char *bpffs, struct err *err);
/*
 * Returns true if another process has removed DIR/daemon: the lock then no longer excludes other
 * daemons.
 */
bool daemon_lock_is_lost(const char *bpffs, int lock_fd);
/* Releases the lock. Removes DIR/daemon, and DIR if it is empty. */
void daemon_lock_release(const char *bpffs, int lock_fd);
/*
 * Returns the process id of DIR's daemon, 0 if no daemon runs, or -1 if it is in another PID
 * namespace.
 */
int daemon_lock_holder(const char *bpffs);

#endif
