/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the process of a peer reports of itself: to 'sluice peer list', metrics, and a command. */
#ifndef SLUICE_MEET_REPORT_REPORT_H
#define SLUICE_MEET_REPORT_REPORT_H

#include "meet/report/metrics.h"
#include "meet/report/on_change.h"
#include "meet/report/status.h"
#include "meet/report/view.h"

/* Links that are over, and are still shown. */
#define REPORT_ENDED_MAX 16

struct report {
	struct view view;
	struct peer_status status;
	struct on_change *on_change;	/* NULL: none */
	struct report_metrics *metrics; /* NULL: none */
};

/*
 * Begins to report on a node that is open; ->view.node and ->view.target are set, and else it is
 * zero. A peer can do without the status, whose failure is logged. Returns 0, or -errno with *err
 * set. report_close() is due in any case, before node_close().
 */
int report_open(struct report *report, struct err *err);
void report_close(struct report *report);
/* A link can be used, or has another path, or none. */
void report_path(struct report *report, const struct link *link);
/* A link is over. Call it before the link is freed. */
void report_over(struct report *report, const struct link *link);

#endif
