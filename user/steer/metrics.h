/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads the groups for a monitoring system. steer/view.h, which also walks the sockets of all
 * processes and whole flow tables, takes too long for a daemon: the poll keeps the maps of each
 * group open, and reads of a table as much as a share of the time allows.
 */
#ifndef SLUICE_STEER_METRICS_H
#define SLUICE_STEER_METRICS_H

#include "metrics/objects.h"

struct steer_poll;

/*
 * Adds the counters of the groups, summed over those of the same port in the same namespace, also
 * over ended ones, and the rows of @objects. A port of the settings without a group has the value
 * 0; so has port "other", whether steering is loaded or not. @poll may be NULL; then there are no
 * groups.
 */
void steer_metrics(struct steer_poll *poll, struct metrics *metrics,
		   struct metrics_objects *objects, const char *bpffs);

#endif
