/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Netlink requests over libmnl: a query with its reply, or a dump of a whole table. Unlike libmnl,
 * nl_dump() repeats a dump during which the table has changed (NLM_F_DUMP_INTR).
 */
#ifndef SLUICE_NET_NL_H
#define SLUICE_NET_NL_H

#include <libmnl/libmnl.h>

/* A dump: its request, and the parser of its messages. */
struct nl_dump {
	int bus; /* NETLINK_ROUTE, ... */
	/* Sets the type, the header and the attributes of an empty request. */
	void (*request)(struct nlmsghdr *nlh, void *into);
	/* Parses a message into `into`: MNL_CB_OK, or MNL_CB_ERROR with errno set. */
	mnl_cb_t parse;
	/* Discards the results of an interrupted dump before the next try; may be NULL. */
	void (*reset)(void *into);
};

/*
 * Dumps a table; `into` is the argument of the callbacks. Returns 0 or -errno: -EAGAIN if the table
 * changed during each of a bounded number of tries.
 */
int nl_dump(const struct nl_dump *dump, void *into);

/* A socket for any number of queries, one after another. */
struct nl;

int nl_open(struct nl **nl, int bus);
void nl_close(struct nl *nl);
/* Returns an empty request in the socket's buffer, for the caller to complete. */
struct nlmsghdr *nl_request(struct nl *nl);
/*
 * Sends a request and parses the reply; @parse may be NULL if the reply is an acknowledgement.
 * Returns 0 or -errno.
 */
int nl_query(struct nl *nl, struct nlmsghdr *nlh, mnl_cb_t parse, void *into);

#endif
