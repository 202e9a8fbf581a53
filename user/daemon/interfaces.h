/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keeps mode wire attached to the interfaces of the options as they come and go.
 *
 * The map of interfaces in the kernel (wire.h) is authoritative. The copy here saves system calls,
 * because most link events change nothing. Callers must be in the network namespace of mode wire.
 */
#ifndef SLUICE_DAEMON_INTERFACES_H
#define SLUICE_DAEMON_INTERFACES_H

#include "base/err.h"
#include "net/rtnl_events.h"
#include "wire/wire.h"

#include <stdbool.h>

#define INTERFACES_ABSENT_MAX 512

struct interfaces {
	const struct wire_options *options; /* NULL: mode wire is not loaded */
	struct followed *bridges;	    /* hash table of the followed bridges that exist */
	struct attached *attached;	    /* hash table of the attached interfaces */
	char absent[INTERFACES_ABSENT_MAX]; /* configured names without an interface */
	bool needs_sync;		    /* an operation failed, or a bridge appeared */
};

/*
 * Sets the options of mode wire. The options must outlive the table. The caller must then call
 * interfaces_sync(). NULL means that mode wire is not loaded, and frees the table.
 */
void interfaces_set_options(struct interfaces *interfaces, const struct wire_options *options);
/*
 * Attaches to and detaches from all interfaces as the options require. Returns 0, or -errno with
 * *err set.
 */
int interfaces_sync(struct interfaces *interfaces, struct err *err);
/* Returns true if another process has detached mode wire from an interface. */
bool interfaces_detached(const struct interfaces *interfaces);
/* Handles a link event that was read at @event_us (CLOCK_MONOTONIC). */
void interfaces_link(struct interfaces *interfaces, const struct rtnl_link *link, bool gone,
		     __u64 event_us);
/* Returns and clears needs_sync. */
bool interfaces_need_sync(struct interfaces *interfaces);
/* Returns the number of attached interfaces. */
unsigned int interfaces_count(const struct interfaces *interfaces);

#endif
