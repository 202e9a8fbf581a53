/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SLUICE_WIRE_METRICS_H
#define SLUICE_WIRE_METRICS_H

#include "metrics/objects.h"

/* Adds the counters of the object, which are 0 if it is not loaded, and its rows of @objects. */
void wire_metrics(struct metrics *metrics, struct metrics_objects *objects, const char *bpffs);

#endif
