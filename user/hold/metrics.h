/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SLUICE_HOLD_METRICS_H
#define SLUICE_HOLD_METRICS_H

#include "metrics/objects.h"

#include <sluice/hold.h>

/* Adds the counters of hold, or zeros if it is not loaded, and its rows of @objects. */
void hold_metrics(struct metrics *metrics, struct metrics_objects *objects, const char *bpffs);

/* The usage of the flow table, in slots. */
struct hold_usage {
	__u64 flows[SLUICE_HOLD_STATES];
	__u64 used, table;
};

/*
 * Counts the flows of the loaded object by state; in a large table, estimates the numbers from a
 * sample. Returns 0, or -errno.
 */
int hold_usage_read(const char *bpffs, struct hold_usage *usage);

#endif
