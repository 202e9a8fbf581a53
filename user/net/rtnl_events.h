/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Events of a network namespace: changes of interfaces and their bridges. A caller that needs the
 * initial state takes a snapshot after rtnl_open().
 */
#ifndef SLUICE_NET_RTNL_EVENTS_H
#define SLUICE_NET_RTNL_EVENTS_H

#include <net/if.h>
#include <stdbool.h>

struct rtnl_link {
	unsigned int index;
	unsigned int master; /* ifindex of its bridge or bond, or 0 */
	bool bridge;	     /* the interface is a bridge */
	char name[IFNAMSIZ];
};

struct rtnl_handlers {
	/* An interface was created or changed. */
	void (*link)(const struct rtnl_link *link, void *arg);
	/* An interface was deleted, or moved to another namespace. */
	void (*gone)(const struct rtnl_link *link, void *arg);
	/* The receive buffer overflowed: only a new snapshot shows the changes. */
	void (*lost)(void *arg);
};

struct rtnl;

/* Subscribes to events of the calling thread's current namespace. Returns 0 or -errno. */
int rtnl_open(struct rtnl **rtnl, const struct rtnl_handlers *handlers, void *arg);
void rtnl_close(struct rtnl *rtnl);
/* Returns a descriptor that is readable while events are queued. */
int rtnl_fd(const struct rtnl *rtnl);
/*
 * Calls the handlers for a limited number of queued events; the descriptor stays readable if more
 * events are queued. Returns 0 or -errno.
 */
int rtnl_read(struct rtnl *rtnl);

#endif
