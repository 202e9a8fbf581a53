/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The metrics and probes of a peer. It is ready if it is registered with a server and, for 'peer
 * connect', if the path can be used. A series has the name of a peer only if that peer is a known
 * one; all others are counted together.
 */
#ifndef SLUICE_MEET_REPORT_METRICS_H
#define SLUICE_MEET_REPORT_METRICS_H

#include "base/err.h"
#include "meet/report/view.h"

struct report_metrics;

/* Does nothing without --metrics. Returns 0, or -errno with *err set. */
int report_metrics_open(struct report_metrics **metrics, const struct view *view, struct err *err);
/* A link is over, whose counts stay. Call it before the link is freed. */
void report_metrics_over(struct report_metrics *metrics, const struct link *link);
/* Call it before the loop is freed; @metrics may be NULL. */
void report_metrics_close(struct report_metrics *metrics);

#endif
