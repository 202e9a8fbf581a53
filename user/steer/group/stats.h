/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The counters of a group's program, and the usage of its flow table. */
#ifndef SLUICE_STEER_GROUP_STATS_H
#define SLUICE_STEER_GROUP_STATS_H

#include "cli/counters.h"
#include "kernel/flow_table.h"
#include "steer/group/group.h"

#include <sluice/counters.h>

/* The record of a group has its own counter, in addition to those of the program. */
#define STEER_RECORD_COUNTERS(X) \
	X(drain_unread, "lost: datagrams that drained processes have left unread")

enum {
	STEER_DRAIN_UNREAD = SLUICE_STEER_COUNTERS_MAX,
	STEER_COUNTERS
};

extern const struct counter steer_counters[STEER_COUNTERS];

struct steer_usage {
	__u32 live;	 /* flows with two or more datagrams, within the idle timeout */
	__u32 half_open; /* flows with one datagram */
	__u32 expired;
	__u32 size;
	__u32 of_slot[SLUICE_STEER_SLOTS]; /* live and half-open flows */
	__u32 busy[SLUICE_STEER_SLOTS];	   /* flows of of_slot that were active within busy_ms */
};

int steer_group_usage(const struct steer_group *group, __u32 busy_ms, struct steer_usage *usage);
/*
 * Reads only the first @sets sets of the table, which the caller has mapped. The caller passes
 * ticks_clock() in @now, since the call costs more than reading the sets of one group.
 */
void steer_group_usage_part(const struct steer_group *group, const struct sluice_steer_set *table,
			    __u32 sets, __u32 now, struct steer_usage *usage);
int steer_group_counters(const struct steer_group *group, struct sluice_steer_counters *sum);
/* Sums the statistics of all slots over the CPUs. */
int steer_group_stats(const struct steer_group *group,
		      struct sluice_steer_stats sum[SLUICE_STEER_SLOTS]);

#endif
