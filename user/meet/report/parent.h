/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon that runs a peer (daemon/child.h): its end of the standard input is a socket. Its end
 * ends this process, and it reads why the peer does not work.
 */
#ifndef SLUICE_MEET_REPORT_PARENT_H
#define SLUICE_MEET_REPORT_PARENT_H

#include "meet/quic/node.h"

struct parent {
	const struct node *node;
	loop_fn stop; /* called with @arg when the daemon has ended */
	void *arg;
	bool reported; /* that the peer is not registered */
};

/* Begins, in the loop of the node. Returns 0 or -errno. */
int parent_watch(struct parent *parent);
/* Reports an error that ends this process. */
void parent_report(const char *text);

#endif
