/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reports the state of a peer process: to 'sluice peer list', as metrics, and to a command. */
#ifndef SLUICE_MEET_REPORT_REPORT_H
#define SLUICE_MEET_REPORT_REPORT_H

#include "meet/report/metrics.h"
#include "meet/report/on_change.h"
#include "meet/report/status.h"
#include "meet/report/view.h"

/* Ended links that are still shown. */
#define REPORT_ENDED_MAX 16

struct report {
	struct view view;
	struct peer_status status;
	struct on_change *on_change;	/* NULL: none */
	struct report_metrics *metrics; /* NULL: none */
};

/*
 * Starts to report on an open node. The caller sets ->view.node and ->view.target, and zeroes all
 * other fields. A failure of the status socket is only logged. Returns 0, or -errno with *err set;
 * call report_close() in either case, before node_close().
 */
int report_open(struct report *report, struct err *err);
void report_close(struct report *report);
/* Reports that a link is ready, or that its path has changed or is lost. */
void report_path(struct report *report, const struct link *link);
/* Reports that a link is over. Call it before the link is freed. */
void report_over(struct report *report, const struct link *link);

#endif
