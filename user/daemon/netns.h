/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The network namespaces that the daemon acts in: its own, and that of mode wire, which acts in the
 * namespace of the calling thread.
 */
#ifndef SLUICE_DAEMON_NETNS_H
#define SLUICE_DAEMON_NETNS_H

#include "base/err.h"

#include <limits.h>
#include <stdbool.h>

struct daemon_netns {
	int home_fd;
	int wire_fd;	     /* -1: mode wire is in the daemon's own namespace */
	bool fixed;	     /* mode wire has been loaded there */
	char name[PATH_MAX]; /* as in the file, once fixed; empty: the daemon's own */
};

/* Opens the daemon's own namespace. Returns 0, or -errno with *err set. */
int daemon_netns_open(struct daemon_netns *netns, struct err *err);
void daemon_netns_close(struct daemon_netns *netns);
/*
 * Selects the namespace of mode wire, named as for --netns, or the daemon's own if NULL.  Does
 * nothing once the choice is fixed.  Returns 0, or -errno with *err set.
 */
int daemon_netns_add_wire(struct daemon_netns *netns, const char *name, struct err *err);
/* Fixes the choice: from now on, sockets and programs are bound to that namespace. */
void daemon_netns_fix(struct daemon_netns *netns, const char *name);
/* Checks whether mode wire can still be loaded in a namespace. */
bool daemon_netns_allows(const struct daemon_netns *netns, const char *name);
/* Does the name of mode wire's namespace refer to another one now? */
bool daemon_netns_is_replaced(const struct daemon_netns *netns);
/* Enters the namespace of mode wire. Returns 0, or -errno with *err set. */
int daemon_netns_enter(const struct daemon_netns *netns, struct err *err);
/* Is the calling thread in the daemon's own namespace? */
bool daemon_netns_is_home(const struct daemon_netns *netns);
/* Returns to the daemon's own namespace, or exits the process if the kernel refuses. */
void daemon_netns_leave(const struct daemon_netns *netns);

#endif
