/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Chooses the slots of a group that take new flows and, under policy cpu, the slots of each CPU. */
#ifndef SLUICE_STEER_GROUP_CHOICE_H
#define SLUICE_STEER_GROUP_CHOICE_H

#include "steer/group/group.h"

/*
 * Assigns new flows to the active slots, ordered by @rank (the kernel's order of the sockets).
 * Writes nothing if the choice is unchanged.
 */
int steer_group_choose(struct steer_group *group, const __u32 rank[SLUICE_STEER_SLOTS]);

/* Policy cpu: assigns the CPUs of the consumers to the active slots. Writes only changes. */
int steer_group_place_cpus(const struct steer_group *group);
/* Reads the consumer of a used slot: "unknown" if the entry belongs to another socket. */
int steer_group_consumer(const struct steer_group *group, int slot,
			 struct sluice_steer_consumer *consumer);
/*
 * Reads the consumers of all slots: "unknown" if a slot is free or the entry belongs to another
 * socket.
 */
int steer_group_consumers(const struct steer_group *group,
			  struct sluice_steer_consumer consumers[SLUICE_STEER_SLOTS]);

#endif
