/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The connection to the daemon that runs this peer (daemon/child.h). The standard input is a
 * socket: this process exits at EOF, and reports through the socket every few seconds whether the
 * peer is ready, or why not.
 */
#ifndef SLUICE_MEET_REPORT_PARENT_H
#define SLUICE_MEET_REPORT_PARENT_H

#include "meet/report/view.h"

struct parent {
	const struct view *view;
	loop_fn stop; /* called with @arg when the daemon has ended */
	void *arg;
};

/* Starts to watch the daemon, in the loop of the process. Returns 0 or -errno. */
int parent_watch(struct parent *parent);
/* Reports an error that ends this process. */
void parent_report(const char *text);

#endif
