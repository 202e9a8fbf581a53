/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Policy cpu: on which CPU each socket of a group is read.
 *
 * A reader is pinned, if the thread that received last, or all threads of the process, may run on
 * one CPU only, which is firm; it is seen, if it received on a CPU and may do so elsewhere next
 * time.  Else it is unknown, and takes only what is placed by hash.
 */
#ifndef SLUICE_STEER_CPU_PLACEMENT_H
#define SLUICE_STEER_CPU_PLACEMENT_H

#include "base/err.h"
#include "steer/group/group.h"

#define STEER_CONSUMERS_MS 1000 /* long enough for any worker that has something to do */

/*
 * Enters the readers of a group's slots: what consumers_read() gives (-1: nothing), else what the
 * affinity tells.  Then has the slots take what arrives on these CPUs. 0 or -errno.
 */
int steer_placement(const struct steer_group *group, int consumers_fd);
/*
 * Repeats that for all groups until the reader of each socket is known, limit_ms at most.  For a
 * command that has just loaded; returns at once under another policy.
 */
int steer_place_wait(const char *bpffs, unsigned int limit_ms, struct err *err);

/* How well the readers of the slots that take new flows are known, under policy cpu. */
struct steer_consumers_known {
	unsigned int pinned;
	unsigned int seen;
	unsigned int unknown;
};
int steer_consumers_known(const char *bpffs, struct steer_consumers_known *known, struct err *err);

#endif
