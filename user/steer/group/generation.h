/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Generations of a group's sockets: they decide which sockets take new flows.
 *
 * The sockets of an instance belong together. A new instance first shares the load with the current
 * instances, like additional workers. It becomes a new generation, and the older sockets only keep
 * their flows, if it
 *
 *  - has at least two sockets: an instance with a single socket is one more worker,
 *  - has started at least GENERATION_SETTLE_NS after the others: instances that start together are
 *    workers of one server,
 *  - has as many sockets as all others together. If there is only one other instance, half as many
 *    suffice once it has opened none for GENERATION_SETTLE_NS: a restart with fewer workers never
 *    has as many,
 *  - raises the number of instances: an instance that replaces a dead worker does not succeed the
 *    living ones. A missing instance is expected back for GENERATION_FORGET_NS.
 *
 * A wrong takeover gives the load of all workers to one of them. A missed takeover only shares the
 * load until the old instance is drained. So in doubt there is no takeover, and the operator can
 * promote the instance (steer/promote.h).
 *
 * A socket that an instance opens or reopens later does not make the instance newer, as long as one
 * of its first sockets is open.
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
 * just joined has generation 0. A repeated call changes nothing. @now_ns is CLOCK_BOOTTIME, like
 * joined_ns. @past is stored in the group's record, and initially all zero. Returns true if a new
 * generation has taken over.
 */
bool generation_assign(struct sluice_steer_slot *slots, size_t count, __u64 now_ns,
		       struct sluice_steer_past *past);
/* Makes the selected slots a new generation. Returns false if they are already the current one. */
bool generation_promote(struct sluice_steer_slot *slots, size_t count, const bool *selected,
			struct sluice_steer_past *past);

#endif
