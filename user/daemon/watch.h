/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Follows the interfaces of the daemon's own network namespace and of mode wire's namespace. */
#ifndef SLUICE_DAEMON_WATCH_H
#define SLUICE_DAEMON_WATCH_H

#include "base/err.h"
#include "base/loop.h"
#include "daemon/config_file.h"
#include "daemon/netns.h"
#include "daemon/spread.h"

struct watch;

/*
 * Allocates a watch. It passes the link events of the daemon's own namespace to @spread, and calls
 * @changed when the number of attached interfaces may have changed. Returns NULL on ENOMEM.
 */
struct watch *watch_new(struct loop *loop, const struct daemon_netns *netns,
			struct spread_section *spread, loop_fn changed, void *arg);
/* Frees a watch. Call it after the loop has been freed. */
void watch_free(struct watch *watch);
/* Subscribes to the events of the daemon's own namespace. Returns 0, or -errno with *err set. */
int watch_start(struct watch *watch, struct err *err);
/*
 * Follows the interfaces of the [wire] section of @file. NULL means that mode wire is not loaded.
 */
void watch_file(struct watch *watch, struct config_file *file);
/* Attaches mode wire again to interfaces after another process detached it. */
void watch_check(struct watch *watch);
/* Returns the configured names that match no interface, or no bridge to follow; may be empty. */
const char *watch_absent(const struct watch *watch);
/* Returns the number of interfaces that mode wire is attached to. */
unsigned int watch_count(const struct watch *watch);

#endif
