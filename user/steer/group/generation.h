/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Generations of a group's sockets: which of them take new flows.
 *
 * Sockets of one instance belong together. A new instance first shares the load with the current
 * one, like further workers. Once it has as many sockets, it takes over, and the older sockets only
 * keep their flows: a restarted server opens as many sockets as before, while a further worker of a
 * multi-process server is one of several. A server that restarts with fewer workers never has as
 * many sockets: beside one other instance it also takes over with half of them, but only once it
 * has opened no further socket for GENERATION_SETTLE_NS.
 *
 * A worker that replaces a dead one does not take over: the sockets must outnumber the peak.
 * Instances that start within GENERATION_SETTLE_NS of one another count as started together. A
 * socket that an instance opens or reopens later does not make the instance a newer one, as long as
 * one of its first sockets is open.
 */
#ifndef SLUICE_STEER_GROUP_GENERATION_H
#define SLUICE_STEER_GROUP_GENERATION_H

#include <sluice/steer.h>
#include <stdbool.h>
#include <stddef.h>

#define GENERATION_SETTLE_NS 2000000000ULL

/*
 * Sets generation and state of every slot that is not free, draining or drained. A socket that has
 * just joined has generation 0. A repeated call changes nothing. @now_ns is of CLOCK_BOOTTIME, as
 * joined_ns. *peak starts at 0 and is the largest number of sockets of the current generation,
 * without an instance that may take over later. Returns whether a new generation has taken over.
 */
bool generation_assign(struct sluice_steer_slot *slots, size_t count, __u64 now_ns, __u32 *peak);

#endif
