/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/*
 * Assigns a datagram's flow to a worker: starts a new flow, keeps a recorded flow with its worker,
 * or moves it.
 */
#ifndef SLUICE_BPF_STEER_FLOW_H
#define SLUICE_BPF_STEER_FLOW_H

#include "steer/choice.h"
#include "steer/load.h"
#include "steer/maps.h"
#include "steer/table.h"

static __always_inline void slot_account(const struct datagram *of, __u32 index, bool begins,
					 bool moves)
{
	struct sluice_steer_stats *stats = bpf_map_lookup_elem(&sluice_stats, &index);

	if (!stats)
		return;
	/* datagrams that the kernel has merged (GRO) count as one, here and in count() */
	stats->datagrams++;
	stats->bytes += of->ctx->len;
	stats->flows += begins;
	stats->moved += moves;
	if (policy == SLUICE_STEER_LOAD)
		recent_flush(index, of->now, begins, stats->datagrams);
}

/* --- new flows */

/*
 * Returns true if the flow is placed by load. A flow without room in the table is placed by hash,
 * so that all of its datagrams get the same choice.
 */
static __always_inline bool goes_by_load(const struct datagram *of, struct sluice_steer_set *set,
					 __u32 way)
{
	if (policy != SLUICE_STEER_LOAD)
		return false;
	return way < SLUICE_STEER_WAYS || set_place(set, of) < SLUICE_STEER_WAYS;
}

/*
 * Assigns a new flow, or a flow that must move, to a worker. @way is the way of a recorded flow;
 * @why is SLUICE_STEER_started, or the reason for the move.
 */
static __always_inline int flow_begin(const struct datagram *of, struct sluice_steer_set *set,
				      __u32 way, enum sluice_steer_counter why)
{
	const struct sluice_steer_slot *slot;
	__u32 index;

	if (!choose(of, goes_by_load(of, set, way), &index))
		return SK_PASS;
	slot = bpf_map_lookup_elem(&sluice_slots, &index);
	if (!slot)
		return SK_PASS;
	flow_record(of, set, way, index, slot->incarnation);
	count(why);
	slot_account(of, index, true, why != SLUICE_STEER_started);
	return SK_PASS;
}

/* --- recorded flows */

/*
 * Returns true if a slot has lost its flows to a drain. This includes a draining slot, which loses
 * its flows before its queue is empty.
 */
static __always_inline bool is_drained(const struct sluice_steer_slot *slot)
{
	return slot->state == SLUICE_STEER_DRAINING || slot->state == SLUICE_STEER_DRAINED;
}

/*
 * Selects the worker of a recorded flow. Returns SLUICE_STEER_known, or the reason why the flow
 * needs another worker.
 */
static __always_inline enum sluice_steer_counter flow_follow(const struct datagram *of,
							     struct sluice_steer_set *set,
							     __u32 way)
{
	__u64 owner = *way_owner(set, way), again = sluice_steer_owner_again(owner, of->now);
	__u32 index = sluice_steer_owner_slot(owner);
	__u16 incarnation = sluice_steer_owner_incarnation(owner);
	const struct sluice_steer_slot *slot;

	if (!sluice_steer_owner_checks(owner, of->print))
		return SLUICE_STEER_started;
	slot = bpf_map_lookup_elem(&sluice_slots, &index);
	if (!slot || !incarnation || slot->incarnation != incarnation)
		return slot && is_drained(slot) ? SLUICE_STEER_moved_drained
						: SLUICE_STEER_moved_gone;
	if (slot->state != SLUICE_STEER_ACTIVE && flow_is_expired(owner, of->now))
		return SLUICE_STEER_moved_idle;
	if (!slot_select(of, slot, index))
		return SLUICE_STEER_moved_gone;
	if (again != owner)
		*way_owner(set, way) = again;
	slot_account(of, index, false, false);
	return SLUICE_STEER_known;
}

#endif
