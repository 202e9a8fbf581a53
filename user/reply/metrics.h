/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SLUICE_REPLY_METRICS_H
#define SLUICE_REPLY_METRICS_H

#include "metrics/objects.h"

#include <sluice/reply.h>

/* Adds the counters of the object, which are 0 if it is not loaded, and its rows of @objects. */
void reply_metrics(struct metrics *metrics, struct metrics_objects *objects, const char *bpffs);

/*
 * Counts the live flows of the loaded object. In a large table, estimates the count from a part.
 * Returns 0, or -errno.
 */
int reply_live_flows(const char *bpffs, const struct sluice_reply_meta *meta, __u64 *live);

#endif
