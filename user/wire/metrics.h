/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SLUICE_WIRE_METRICS_H
#define SLUICE_WIRE_METRICS_H

#include "metrics/objects.h"

#include <sluice/wire.h>

/* Adds the counters of the object, which are 0 if it is not loaded, and its rows of @objects. */
void wire_metrics(struct metrics *metrics, struct metrics_objects *objects, const char *bpffs);

/*
 * Counts the live flows of the loaded object; in a large table, estimates them from a part. Returns
 * 0, or -errno.
 */
int wire_live_flows(const char *bpffs, const struct sluice_wire_meta *meta, __u64 *live);

#endif
