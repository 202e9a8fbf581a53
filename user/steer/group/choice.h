/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which slots of a group take new flows and, under policy cpu, the datagrams of a CPU. */
#ifndef SLUICE_STEER_GROUP_CHOICE_H
#define SLUICE_STEER_GROUP_CHOICE_H

#include "steer/group/group.h"

/*
 * Makes the active slots those that new flows go to, in the order given by rank (the kernel's, of
 * each slot).  Leaves the choice alone if it is the same already.
 */
int steer_group_choose(struct steer_group *group, const __u32 rank[SLUICE_STEER_SLOTS]);

/* Policy cpu: gives a slot its reader. */
int steer_group_set_consumer(const struct steer_group *group, int slot,
			     const struct sluice_steer_consumer *reader);
/* Has the active slots take what arrives on their readers' CPUs; left alone if it is so already. */
int steer_group_place_cpus(const struct steer_group *group);
/* The reader of a slot in use; unknown where the slot has another socket since. */
int steer_group_consumer(const struct steer_group *group, int slot,
			 struct sluice_steer_consumer *reader);
/* Of all slots; unknown where the slot has another socket since, or none. */
int steer_group_consumers(const struct steer_group *group,
			  struct sluice_steer_consumer readers[SLUICE_STEER_SLOTS]);

#endif
