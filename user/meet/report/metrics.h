/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The metrics and probes of a peer. A peer is ready if it is registered with a server and, for
 * 'peer connect', has a usable path. A series is labelled with the name of a peer only if this peer
 * is known; unknown peers share one series.
 */
#ifndef SLUICE_MEET_REPORT_METRICS_H
#define SLUICE_MEET_REPORT_METRICS_H

#include "base/err.h"
#include "meet/report/view.h"

struct report_metrics;

/* Does nothing without --metrics. Returns 0, or -errno with *err set. */
int report_metrics_open(struct report_metrics **metrics, const struct view *view, struct err *err);
/* Adds the counts of an ended link to the totals. Call it before the link is freed. */
void report_metrics_over(struct report_metrics *metrics, const struct link *link);
/* Must be called before the loop is freed; @metrics may be NULL. */
void report_metrics_close(struct report_metrics *metrics);

#endif
