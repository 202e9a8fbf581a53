/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Assigns generations to the sockets of a group. The generation decides whether a socket takes new
 * flows.
 *
 * The sockets of an instance are treated alike. A new instance first shares the load with the
 * current instances, like additional workers. It becomes a new generation, and the older sockets
 * only keep their flows, if the new instance
 *
 *  - has at least two sockets: an instance with a single socket is another worker,
 *  - started at least GENERATION_SETTLE_NS after the others: instances that start together are
 *    workers of one server,
 *  - has as many sockets as all others together. If there is only one other instance, half as many
 *    suffice once the new instance has opened no socket for GENERATION_SETTLE_NS, since a restart
 *    with fewer workers never has as many,
 *  - increases the number of instances: an instance that replaces a dead worker does not replace
 *    the other workers. A missing instance still counts for GENERATION_FORGET_NS, since it may come
 *    back.
 *
 * A wrong takeover moves the load of all workers to one instance. A missed takeover only shares the
 * load until the old instance is drained. So if in doubt, no instance takes over, and the operator
 * can promote the instance (steer/promote.h).
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
 * just joined has generation 0. The function is idempotent. @now_ns is CLOCK_BOOTTIME, like
 * joined_ns. @past is stored in the group's record, initially all zero. Returns true if a new
 * generation has taken over.
 */
bool generation_assign(struct sluice_steer_slot *slots, size_t count, __u64 now_ns,
		       struct sluice_steer_past *past);
/*
 * Makes the selected slots a new generation. Returns false if they already are the current
 * generation.
 */
bool generation_promote(struct sluice_steer_slot *slots, size_t count, const bool *selected,
			struct sluice_steer_past *past);

#endif
