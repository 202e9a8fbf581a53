/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the process of a peer reports of itself: its status, to 'sluice peer list'. */
#ifndef SLUICE_MEET_REPORT_REPORT_H
#define SLUICE_MEET_REPORT_REPORT_H

#include "meet/report/status.h"
#include "meet/report/view.h"

/* Links that are over, and are still shown. */
#define REPORT_ENDED_MAX 16

struct report {
	struct view view;
	struct peer_status status;
};

/*
 * Begins to report on a node that is open; ->view.node and ->view.target are set. A peer can do
 * without: what fails is logged.
 */
void report_open(struct report *report);
void report_close(struct report *report);
/* A link is over. Call it before the link is freed. */
void report_over(struct report *report, const struct link *link);

#endif
