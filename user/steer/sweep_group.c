// SPDX-License-Identifier: GPL-2.0-or-later
#include "steer/sweep_group.h"

#include "base/clock.h"
#include "process/take_socket.h"
#include "steer/cpu/consumers.h"
#include "steer/cpu/placement.h"
#include "steer/group/choice.h"
#include "steer/group/drain_lock.h"
#include "steer/group/generation.h"
#include "steer/group/instance.h"
#include "steer/group/owner.h"
#include "steer/group/slots.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* --- events */

void sweep_report_group(const struct steer_sweep *sweep, enum steer_event_type type,
			const struct steer_group *group, const struct sluice_steer_slot *slot,
			int count, const char *why)
{
	const struct steer_event event = { .type = type,
					   .name = group->name,
					   .group = &group->info,
					   .slot = slot,
					   .count = count,
					   .why = why };

	if (sweep->fn)
		sweep->fn(&event, sweep->arg);
}

void sweep_report_found(const struct steer_sweep *sweep, enum steer_event_type type,
			const struct sluice_socket_record *of, int count, const char *why)
{
	const struct sluice_steer_group group = { .netns = of->netns,
						  .local = of->local,
						  .ifindex = of->ifindex,
						  .port = of->port,
						  .family = of->family };
	struct sluice_steer_slot slot = { .pid = of->pid };
	const struct steer_event event = { .type = type,
					   .group = &group,
					   .slot = &slot,
					   .count = count,
					   .prog_id = of->group_prog,
					   .why = why };

	memcpy(slot.comm, of->comm, sizeof(slot.comm));
	if (sweep->fn)
		sweep->fn(&event, sweep->arg);
}

const char *sweep_join_reason(int error)
{
	switch (error) {
	case EBUSY:
		return "it is already in use: in a map of its server, or by a tunnel";
	case ENOSPC:
		return "no slot is free: a group has at most 1024";
	default:
		return process_socket_reason(error);
	}
}

/* --- policy cpu: the map of consumers */

/*
 * Attaches the programs on the first call. Returns the descriptor of the map, or -1 if only the
 * affinity of consumers is known.
 */
static int consumers_fd(struct steer_sweep *sweep)
{
	if (!sweep->consumers_tried)
		sweep->consumers_fd = consumers_ensure(sweep->loader, sweep->bpffs, sweep->renew);
	sweep->consumers_tried = true;
	sweep->renew = false;
	return sweep->consumers_fd;
}

void sweep_consumers_remove(struct steer_sweep *sweep, const struct steer_group *group)
{
	int slot;

	for (slot = 0; slot < SLUICE_STEER_SLOTS && sweep->setting.policy == SLUICE_STEER_CPU;
	     slot++)
		if (group->slots[slot].state != SLUICE_STEER_FREE)
			consumers_remove(consumers_fd(sweep), group->slots[slot].cookie);
}

/* --- sockets */

static const struct sluice_socket_record *member_find(const struct steer_sweep *sweep, __u64 cookie)
{
	int i;

	for (i = 0; i < sweep->count; i++)
		if (sweep->members[i]->cookie == cookie)
			return sweep->members[i];
	return NULL;
}

bool sweep_out_of_sight(const struct steer_sweep *sweep, const struct steer_group *group, int slot)
{
	return group->slots[slot].state != SLUICE_STEER_FREE &&
	       !sockets_find(sweep->sockets, group->slots[slot].cookie) &&
	       steer_group_holds(group, slot);
}

void sweep_sockets_leave(struct steer_sweep *sweep, struct steer_group *group)
{
	int slot;

	for (slot = 0; slot < SLUICE_STEER_SLOTS; slot++) {
		const struct sluice_steer_slot *at = &group->slots[slot];
		const struct sluice_socket_record *record;

		if (at->state == SLUICE_STEER_FREE)
			continue;
		record = member_find(sweep, at->cookie);
		if (record ? !record->connected : sweep_out_of_sight(sweep, group, slot))
			continue;
		sweep_report_group(sweep, STEER_SOCKET_LEFT, group, at, 0,
				   record ? "it was connected to a peer" : NULL);
		if (sweep->setting.policy == SLUICE_STEER_CPU)
			consumers_remove(consumers_fd(sweep), at->cookie);
		steer_group_leave(group, slot);
	}
}

void sweep_sockets_join(struct steer_sweep *sweep, struct steer_group *group,
			struct steer_member *keep)
{
	int i, fd, slot;

	for (i = 0; i < sweep->count; i++) {
		const struct sluice_socket_record *record = sweep->members[i], *owner;
		__u64 cookie;

		/* skip connected sockets, which receive only from their peer */
		if (record->connected ||
		    (record->cookie && steer_group_slot(group, record->cookie) >= 0))
			continue;
		fd = slot = process_socket_take(record, &cookie);
		if (fd >= 0)
			slot = steer_group_slot(group, cookie);
		if (fd >= 0 && slot < 0) {
			owner = owner_among(record);
			owner = owner ? owner : record;
			slot = steer_group_join(group, fd, cookie, owner,
						instance_of(owner->pid, sweep->meta.generations));
			if (slot >= 0) {
				sweep->joined++;
				sweep_report_group(sweep, STEER_SOCKET_JOINED, group,
						   &group->slots[slot], 0, NULL);
			}
		}
		/* a socket that was closed since the walk is not a failure */
		if (slot < 0 && slot != -ESTALE) {
			struct sluice_steer_slot failed = { .pid = record->pid };

			memcpy(failed.comm, record->comm, sizeof(failed.comm));
			sweep->refused++;
			sweep_report_group(sweep, STEER_SOCKET_FAILED, group, &failed, 0,
					   sweep_join_reason(-slot));
		}
		if (slot >= 0 && keep && keep->fd < 0)
			*keep = (struct steer_member){ record, fd, cookie };
		else if (fd >= 0)
			close(fd);
	}
}

/* --- slots */

/* Undoes killed drains: their slots take new flows again unless their generation is retired. */
static void drains_end(const struct steer_sweep *sweep, struct steer_group *group)
{
	bool ended[SLUICE_STEER_SLOTS] = { false };
	int slot, before;

	for (slot = 0; slot < SLUICE_STEER_SLOTS; slot++) {
		ended[slot] = drain_lock_is_stale(group, slot);
		if (!ended[slot])
			continue;
		group->slots[slot].state = SLUICE_STEER_RETIRED;
		/* one event per process */
		for (before = 0; before < slot; before++)
			if (ended[before] && group->slots[before].pid == group->slots[slot].pid)
				break;
		if (before == slot)
			sweep_report_group(sweep, STEER_DRAIN_LAPSED, group, &group->slots[slot], 0,
					   NULL);
	}
}

/* Restarts the generations after a change of the rule that distinguishes instances. */
static void generations_reset(const struct steer_sweep *sweep, struct steer_group *group)
{
	int slot;

	group->info.past = (struct sluice_steer_past){ 0 };
	for (slot = 0; slot < SLUICE_STEER_SLOTS; slot++) {
		struct sluice_steer_slot *at = &group->slots[slot];

		if (at->state != SLUICE_STEER_ACTIVE && at->state != SLUICE_STEER_RETIRED)
			continue;
		at->instance = instance_of(at->pid, sweep->meta.generations);
		at->generation = 0;
	}
}

void sweep_slots_assign(struct steer_sweep *sweep, struct steer_group *group)
{
	const struct sluice_steer_slot *first = NULL;
	struct sluice_steer_slot before[SLUICE_STEER_SLOTS];
	const struct sluice_steer_past past = group->info.past;
	__u32 rank[SLUICE_STEER_SLOTS] = { 0 };
	struct err err = { 0 };
	int slot, active = 0, result;
	bool taken_over;

	memcpy(before, group->slots, sizeof(before));
	owners_update(group, sweep->sockets, sweep->meta.generations);
	drains_end(sweep, group);
	if (sweep->regroup)
		generations_reset(sweep, group);
	taken_over = generation_assign(group->slots, SLUICE_STEER_SLOTS,
				       clock_now_ns(CLOCK_BOOTTIME), &group->info.past);
	for (slot = 0; slot < SLUICE_STEER_SLOTS; slot++) {
		const struct sluice_steer_slot *at = &group->slots[slot];
		const struct sluice_socket_record *record;

		if (at->state == SLUICE_STEER_FREE)
			continue;
		if (at->state == SLUICE_STEER_ACTIVE && !active++)
			first = at;
		record = member_find(sweep, at->cookie);
		rank[slot] = record ? record->group_index : SLUICE_NO_INDEX;
		if (memcmp(at, &before[slot], sizeof(*at)))
			steer_group_write(group, slot);
	}
	/* all active slots belong to the new generation now */
	if (taken_over)
		sweep_report_group(sweep, STEER_GENERATION, group, first, active, NULL);
	if (memcmp(&past, &group->info.past, sizeof(past)) && steer_group_write_info(group, &err))
		sweep_report_group(sweep, STEER_GROUP_FAILED, group, NULL, 0, err.what);
	result = steer_group_choose(group, rank);
	if (!result && sweep->setting.policy == SLUICE_STEER_CPU)
		result = steer_placement(group, consumers_fd(sweep));
	if (result)
		sweep_report_group(sweep, STEER_GROUP_FAILED, group, NULL, 0, strerror(-result));
}

int sweep_slots_used(const struct steer_group *group)
{
	int slot, used = 0;

	for (slot = 0; slot < SLUICE_STEER_SLOTS; slot++)
		used += group->slots[slot].state != SLUICE_STEER_FREE;
	return used;
}
