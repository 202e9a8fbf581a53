/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Policy cpu: on which CPU each socket of a group is read.
 *
 * What is known of a reader: it has been seen to read, and is pinned to a CPU, which is firm; or it
 * has been seen there, and may be somewhere else next time; or nobody was seen, but all threads of
 * the process are pinned to the one CPU.  Else it is unknown, and takes only what is placed by
 * hash.
 */
#ifndef SLUICE_STEER_CPU_PLACEMENT_H
#define SLUICE_STEER_CPU_PLACEMENT_H

#include "steer/cpu/consumers.h"
#include "steer/group/group.h"

/*
 * Enters the readers of a group's slots: those that were watched (NULL: nobody was), else, where
 * nothing is known yet, what the affinity tells.  Then has the slots take what arrives on these
 * CPUs.
 */
int steer_place(const struct steer_group *group, const struct readers *watched);

#endif
