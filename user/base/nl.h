/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Netlink conversations over libmnl: one question and its answer, or a dump of a whole table.
 * libmnl speaks the protocol; what it leaves to its callers is to ask again when the kernel says
 * that a table changed while it was being dumped (NLM_F_DUMP_INTR), and that stands here once.
 */
#ifndef SLUICE_BASE_NL_H
#define SLUICE_BASE_NL_H

#include <libmnl/libmnl.h>

/* Takes the kernel's messages: MNL_CB_OK, or MNL_CB_ERROR with errno set. */
struct nl_dump {
	int bus; /* NETLINK_ROUTE and so on */
	/* Fills in an empty request: its type, its header and attributes. */
	void (*request)(struct nlmsghdr *nlh, void *into);
	mnl_cb_t take;
	/* Drops what `take` has taken since the beginning, for the next try; or NULL. */
	void (*forget)(void *into);
};

/*
 * Dumps; `into` is passed to the three functions.  0 or -errno: -EAGAIN if the table changed in
 * every one of a bounded number of tries.
 */
int nl_dump(const struct nl_dump *dump, void *into);

/* A socket for many questions, one after the other. */
struct nl;

int nl_open(struct nl **nl, int bus);
void nl_close(struct nl *nl);
/* An empty request in the socket's own buffer, for the caller to fill in. */
struct nlmsghdr *nl_request(struct nl *nl);
/* Asks it and takes the answer, if there is any beside the acknowledgement. 0 or -errno. */
int nl_query(struct nl *nl, struct nlmsghdr *nlh, mnl_cb_t take, void *into);

#endif
