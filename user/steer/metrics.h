/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads the groups for a monitoring system. steer/view.h is too slow for a daemon, since it walks
 * the sockets of all processes and whole flow tables. The poll keeps the maps of each group open,
 * and reads only a part of each large flow table.
 */
#ifndef SLUICE_STEER_METRICS_H
#define SLUICE_STEER_METRICS_H

#include "metrics/objects.h"

struct steer_poll;

/*
 * Adds the counters of the groups, summed per port and namespace, including ended groups, and the
 * rows of @objects. A managed port without a group has the value 0; so has port "other", even if
 * steering is not loaded. If @poll is NULL, there are no groups.
 */
void steer_metrics(struct steer_poll *poll, struct metrics *metrics,
		   struct metrics_objects *objects, const char *bpffs);

#endif
