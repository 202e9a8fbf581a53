/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Policy cpu: finds the CPU on which the consumer of each socket runs.
 *
 * A consumer is "pinned" if the thread that last received, or all threads of the process, may run
 * on only one CPU. A consumer is "seen" if it has received on a CPU but may migrate. Otherwise it
 * is "unknown", and gets only flows that are placed by hash.
 */
#ifndef SLUICE_STEER_CPU_PLACEMENT_H
#define SLUICE_STEER_CPU_PLACEMENT_H

#include "base/err.h"
#include "steer/group/group.h"

#define STEER_PLACEMENT_WAIT_MS 1000 /* a busy worker receives within this time */

/*
 * Updates the consumers of a group's slots, from consumers_read() or else from the affinity, and
 * assigns the consumers' CPUs to the slots. @consumers_fd may be -1. Returns 0 or -errno.
 */
int steer_placement(const struct steer_group *group, int consumers_fd);
/*
 * Calls steer_placement() for all groups until each consumer is known, for at most @limit_ms. Used
 * by commands after a load. Returns immediately under other policies.
 */
int steer_placement_wait(const char *bpffs, unsigned int limit_ms, struct err *err);

/* Counts the consumers of the active slots under policy cpu. */
struct steer_consumers_known {
	unsigned int pinned;
	unsigned int seen;
	unsigned int unknown;
};
int steer_consumers_known(const char *bpffs, struct steer_consumers_known *known, struct err *err);

#endif
