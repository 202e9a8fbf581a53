/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * News of a network namespace: its interfaces and the bridges that they are ports of, and whether
 * its addresses (and routes) have changed.  What was there before is for others to ask, after
 * rtnl_open().
 */
#ifndef SLUICE_BASE_RTNL_EVENTS_H
#define SLUICE_BASE_RTNL_EVENTS_H

#include <net/if.h>
#include <stdbool.h>

struct rtnl_link {
	unsigned int index;
	unsigned int master; /* the interface that it is a port of, or 0 */
	char name[IFNAMSIZ];
};

struct rtnl_handlers {
	/* An interface is new, or something about it is. */
	void (*link)(const struct rtnl_link *link, void *arg);
	/* It is gone from this namespace. */
	void (*gone)(const struct rtnl_link *link, void *arg);
	/* Addresses came or went: told once behind the other news. */
	void (*address)(void *arg);
	/* Routes did. */
	void (*route)(void *arg);
	/* There were more news than room for them: a snapshot must tell what they were. */
	void (*lost)(void *arg);
};

struct rtnl;

/* Listens in the calling thread's namespace, and stays there. 0 or -errno. */
int rtnl_open(struct rtnl **rtnl, const struct rtnl_handlers *news, void *arg);
void rtnl_close(struct rtnl *rtnl);
/* From here on routes that come and go are told, too. 0 or -errno. */
int rtnl_add_routes(struct rtnl *rtnl);
/* Readable when there are news. */
int rtnl_fd(const struct rtnl *rtnl);
/*
 * Tells the news there are; where they come faster than they can be told, the descriptor stays
 * readable.  0 or -errno.
 */
int rtnl_read(struct rtnl *rtnl);

#endif
