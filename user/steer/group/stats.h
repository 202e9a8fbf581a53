/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a group's program has counted, and the flows in its table. */
#ifndef SLUICE_STEER_GROUP_STATS_H
#define SLUICE_STEER_GROUP_STATS_H

#include "steer/group/group.h"

#include <sluice/counters.h>

struct steer_usage {
	__u32 live;	 /* flows with two datagrams or more, within the idle timeout */
	__u32 half_open; /* with one */
	__u32 expired;
	__u32 size;
	__u32 of_slot[SLUICE_STEER_SLOTS]; /* live and half-open ones */
	__u32 busy[SLUICE_STEER_SLOTS];	   /* of these, heard within busy_ms */
};

int steer_group_usage(const struct steer_group *group, __u32 busy_ms, struct steer_usage *fill);
int steer_group_counters(const struct steer_group *group, struct sluice_steer_counters *sum);
/* Summed over the CPUs, for all slots. */
int steer_group_stats(const struct steer_group *group,
		      struct sluice_steer_stats sum[SLUICE_STEER_SLOTS]);

#endif
