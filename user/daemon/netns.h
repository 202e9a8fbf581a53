/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The network namespaces of the daemon: its own namespace, and that of mode wire. Functions of mode
 * wire act in the namespace of the calling thread.
 */
#ifndef SLUICE_DAEMON_NETNS_H
#define SLUICE_DAEMON_NETNS_H

#include "base/err.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

struct daemon_netns {
	int home_fd;
	int wire_fd;	     /* -1: mode wire uses the daemon's own namespace */
	bool fixed;	     /* set once mode wire has been loaded in it */
	char name[PATH_MAX]; /* valid once `fixed`; empty: the daemon's own namespace */
};

/* Opens the daemon's own namespace. Returns 0, or -errno with *err set. */
int daemon_netns_open(struct daemon_netns *netns, struct err *err);
void daemon_netns_close(struct daemon_netns *netns);
/*
 * Selects the namespace of mode wire. @name is an argument of --netns, or NULL for the daemon's own
 * namespace. Does nothing once the namespace is fixed. Returns 0, or -errno with *err set.
 */
int daemon_netns_add_wire(struct daemon_netns *netns, const char *name, struct err *err);
/* Fixes the namespace of mode wire, once sockets and programs are bound to it. */
void daemon_netns_fix(struct daemon_netns *netns, const char *name);
/* Checks whether mode wire can still be loaded in a namespace. */
bool daemon_netns_allows(const struct daemon_netns *netns, const char *name);
/* Returns true if the name no longer refers to @netns, an inode number. */
bool daemon_netns_has_moved(const char *name, uint32_t netns);
/* Returns true if the name of mode wire's namespace now refers to another namespace. */
bool daemon_netns_is_replaced(const struct daemon_netns *netns);
/* Enters the namespace of mode wire. Returns 0, or -errno with *err set. */
int daemon_netns_enter(const struct daemon_netns *netns, struct err *err);
/* Returns true if the calling thread is in the daemon's own namespace. */
bool daemon_netns_is_home(const struct daemon_netns *netns);
/* Returns to the daemon's own namespace, or exits the process if the kernel refuses. */
void daemon_netns_leave(const struct daemon_netns *netns);

#endif
