/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Generations of a group's sockets: which of them take new flows.
 *
 * Sockets of one instance belong together. A new instance first shares the load with the current
 * ones, like further workers. It becomes a new generation, and the older sockets only keep their
 * flows, if it
 *
 *  - has at least two sockets: one socket is one more worker,
 *  - has started GENERATION_SETTLE_NS or more after the others: instances that start together are
 *    workers of one server,
 *  - has as many sockets as all others together. Beside a single other instance half as many are
 *    enough, once it has opened none for GENERATION_SETTLE_NS: a restart with fewer workers never
 *    has as many,
 *  - is one instance more than there were: one that replaces a dead worker is not a successor of
 *    the living ones. An instance that is missing for GENERATION_FORGET_NS is not expected back.
 *
 * A wrong takeover leaves the load of all workers to one of them, a missed one only shares it until
 * the old instance is drained: in doubt there is none, and the operator promotes (steer/promote.h).
 *
 * A socket that an instance opens or reopens later does not make the instance a newer one, as long
 * as one of its first sockets is open.
 */
#ifndef SLUICE_STEER_GROUP_GENERATION_H
#define SLUICE_STEER_GROUP_GENERATION_H

#include <sluice/steer.h>
#include <stdbool.h>
#include <stddef.h>

#define GENERATION_SETTLE_NS 2000000000ULL
#define GENERATION_FORGET_NS 60000000000ULL

/*
 * Sets generation and state of every slot that is not free, draining or drained. A socket that has
 * just joined has generation 0. A repeated call changes nothing. @now_ns is of CLOCK_BOOTTIME, as
 * joined_ns. @past is of the group's record, all zero at first. Returns whether a new generation
 * has taken over.
 */
bool generation_assign(struct sluice_steer_slot *slots, size_t count, __u64 now_ns,
		       struct sluice_steer_past *past);
/* Makes the selected slots a new generation. Returns false if they are the current one already. */
bool generation_promote(struct sluice_steer_slot *slots, size_t count, const bool *selected,
			struct sluice_steer_past *past);

#endif
