/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Generations of a group's sockets: which of them take new flows.
 *
 * Sockets of one instance belong together.  A new instance first works beside what is there, like
 * further workers.  It takes over, and what was there keeps its old flows alone, once it has as
 * many sockets as that: a restarted server opens as many as before, while one more worker of a
 * server whose workers are processes of their own is but one of several.  A server that is started
 * with fewer workers than before never has as many: beside one other instance it takes over with
 * half of its sockets, too, but not before it has opened no more for GENERATION_SETTLE_NS.
 *
 * Nor does a worker take over that only fills the place of one that has died: there must be more
 * sockets than there ever were.  Instances that come within GENERATION_SETTLE_NS of one another
 * were started together; what an instance opens or reopens later does not make it a later one, as
 * long as one of its first sockets is there.
 */
#ifndef SLUICE_STEER_GROUP_GENERATION_H
#define SLUICE_STEER_GROUP_GENERATION_H

#include <sluice/steer.h>
#include <stdbool.h>
#include <stddef.h>

#define GENERATION_SETTLE_NS 2000000000ULL

/*
 * Sets generation and state of every slot of `count` that is not free, draining or drained.  A
 * socket that has just joined has generation 0.  Called twice, it changes nothing the second time.
 * now_ns is of CLOCK_BOOTTIME, as joined_ns.  *peak, at first 0, is the most sockets that the
 * generation in force has had, without an instance that may yet follow it.  Returns whether a
 * new generation has taken over.
 */
bool generation_assign(struct sluice_steer_slot *slots, size_t count, __u64 now_ns, __u32 *peak);

#endif
