// SPDX-License-Identifier: GPL-2.0-or-later
#include "steer/sweep_group.h"

#include "base/clock.h"
#include "base/log.h"
#include "kernel/state_dir.h"
#include "steer/cpu/consumers.h"
#include "steer/cpu/placement.h"
#include "steer/group/choice.h"
#include "steer/group/drain_lock.h"
#include "steer/group/generation.h"
#include "steer/group/instance.h"
#include "steer/group/slots.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* --- news */

void sweep_tell(const struct steer_sweep *sweep, const struct steer_event *news)
{
	if (sweep->fn)
		sweep->fn(news, sweep->arg);
}

void sweep_tell_group(const struct steer_sweep *sweep, enum steer_event_type event,
		      const struct steer_group *group, const struct sluice_steer_slot *slot,
		      int count, const char *why)
{
	const struct steer_event news = { event, group->name, &group->info, slot, count, 0, why };

	sweep_tell(sweep, &news);
}

void sweep_tell_found(const struct steer_sweep *sweep, enum steer_event_type event,
		      const struct sluice_socket_record *of, int count, const char *why)
{
	const struct sluice_steer_group group = { .netns = of->netns,
						  .local = of->local,
						  .ifindex = of->ifindex,
						  .port = of->port,
						  .family = of->family };
	struct sluice_steer_slot slot = { .pid = of->pid };
	const struct steer_event news = { event, NULL, &group, &slot, count, of->group_prog, why };

	memcpy(slot.comm, of->comm, sizeof(slot.comm));
	sweep_tell(sweep, &news);
}

/* --- sockets that come and go */

const char *sweep_join_reason(int error)
{
	switch (error) {
	case EPERM:
		return "pidfd_getfd: not permitted (needs CAP_SYS_PTRACE)";
	case EBUSY:
		return "the server has it in a map of its own";
	case ENOSPC:
		return "no slot is free: a group has at most 1024";
	default:
		return strerror(error);
	}
}

bool sweep_may_join(const struct sluice_socket_record *record)
{
	return !record->connected;
}

/* A socket that has gone since it was seen is no failure. */
static void socket_join(struct steer_sweep *sweep, struct steer_group *group,
			const struct sluice_socket_record *record, int *keep_fd)
{
	__u64 instance = instance_of(record->pid, sweep->meta.generations), cookie;
	int fd = sockets_take(record, &cookie), slot = fd;

	if (fd >= 0)
		slot = steer_group_slot(group, cookie);
	if (fd >= 0 && slot < 0) {
		slot = steer_group_join(group, fd, cookie, record, instance);
		if (slot >= 0)
			sweep_tell_group(sweep, STEER_SOCKET_JOINED, group, &group->slots[slot], 0,
					 NULL);
	}
	if (slot < 0 && slot != -ESTALE) {
		struct sluice_steer_slot nobody = { .pid = record->pid };

		memcpy(nobody.comm, record->comm, sizeof(nobody.comm));
		sweep->refused++;
		sweep_tell_group(sweep, STEER_SOCKET_FAILED, group, &nobody, 0,
				 sweep_join_reason(-slot));
	}
	if (slot >= 0 && keep_fd && *keep_fd < 0)
		*keep_fd = fd;
	else if (fd >= 0)
		close(fd);
}

static const struct sluice_socket_record *member_of_cookie(
	const struct sluice_socket_record *const *members, int count, __u64 cookie)
{
	int i;

	for (i = 0; i < count; i++)
		if (members[i]->cookie == cookie)
			return members[i];
	return NULL;
}

bool sweep_out_of_sight(const struct steer_sweep *sweep, const struct steer_group *group, int slot)
{
	return group->slots[slot].state != SLUICE_STEER_FREE &&
	       !sockets_find(sweep->sockets, group->slots[slot].cookie) &&
	       steer_group_holds(group, slot);
}

/* --- policy cpu: what watches the consumers */

/* Attaches it at the first call. -1: the affinity has to do. */
static int consumers_fd(struct steer_sweep *sweep)
{
	struct steer_loader *loader = sweep->loader;
	bool renew = sweep->renew;
	struct err err;

	if (sweep->consumers_fd >= 0 || (loader->consumers_failed && !renew))
		return sweep->consumers_fd;
	sweep->renew = false;
	sweep->consumers_fd = consumers_attach(sweep->bpffs, loader->cgroup, renew, &err);
	if (sweep->consumers_fd < 0 && !loader->consumers_failed)
		log_warning("steer: which thread receives on which CPU is not seen: %s", err.what);
	loader->consumers_failed = sweep->consumers_fd < 0;
	return sweep->consumers_fd;
}

void sweep_consumers_forget(struct steer_sweep *sweep, const struct steer_group *group)
{
	int slot;

	for (slot = 0; slot < SLUICE_STEER_SLOTS && sweep->setting.policy == SLUICE_STEER_CPU;
	     slot++)
		if (group->slots[slot].state != SLUICE_STEER_FREE)
			consumers_remove(consumers_fd(sweep), group->slots[slot].cookie);
}

void sweep_consumers_end(struct steer_sweep *sweep)
{
	if (sweep->consumers_fd >= 0)
		close(sweep->consumers_fd);
	if (!sweep->dry_run && (sweep->setting.policy != SLUICE_STEER_CPU || !sweep->shares.groups))
		consumers_detach(sweep->bpffs);
}

/* --- slots */

void sweep_sockets_leave(struct steer_sweep *sweep, struct steer_group *group,
			 const struct sluice_socket_record *const *members, int count)
{
	int slot;

	for (slot = 0; slot < SLUICE_STEER_SLOTS; slot++) {
		const struct sluice_steer_slot *at = &group->slots[slot];
		const struct sluice_socket_record *record;

		if (at->state == SLUICE_STEER_FREE)
			continue;
		record = member_of_cookie(members, count, at->cookie);
		if (record ? sweep_may_join(record) : sweep_out_of_sight(sweep, group, slot))
			continue;
		sweep_tell_group(sweep, STEER_SOCKET_LEFT, group, at, 0,
				 record ? "it has been connected to a peer" : NULL);
		if (sweep->setting.policy == SLUICE_STEER_CPU)
			consumers_remove(consumers_fd(sweep), at->cookie);
		steer_group_leave(group, slot);
	}
}

void sweep_sockets_join(struct steer_sweep *sweep, struct steer_group *group,
			const struct sluice_socket_record *const *members, int count, int *keep_fd)
{
	int i;

	for (i = 0; i < count; i++)
		if (sweep_may_join(members[i]) &&
		    (!members[i]->cookie || steer_group_slot(group, members[i]->cookie) < 0))
			socket_join(sweep, group, members[i], keep_fd);
}

/* --- generations */

/* Of a group whose active slots are all the new generation's. */
static void tell_generation(const struct steer_sweep *sweep, const struct steer_group *group)
{
	const struct sluice_steer_slot *first = NULL;
	int slot, count = 0;

	for (slot = 0; slot < SLUICE_STEER_SLOTS; slot++) {
		if (group->slots[slot].state != SLUICE_STEER_ACTIVE)
			continue;
		first = first ? first : &group->slots[slot];
		count++;
	}
	sweep_tell_group(sweep, STEER_GENERATION, group, first, count, NULL);
}

/* Another rule tells instances apart from now on: all that there are begin anew. */
static void generations_forget(const struct steer_sweep *sweep, struct steer_group *group)
{
	int slot;

	group->info.peak = 0;
	for (slot = 0; slot < SLUICE_STEER_SLOTS; slot++) {
		struct sluice_steer_slot *at = &group->slots[slot];

		if (at->state != SLUICE_STEER_ACTIVE && at->state != SLUICE_STEER_RETIRED)
			continue;
		at->instance = instance_of(at->pid, sweep->meta.generations);
		at->generation = 0;
	}
}

/* Has another slot of the process told of it already? */
static bool is_told(const struct steer_group *group, const bool ended[SLUICE_STEER_SLOTS], int slot)
{
	int before;

	for (before = 0; before < slot; before++)
		if (ended[before] && group->slots[before].pid == group->slots[slot].pid)
			return true;
	return false;
}

/* What a drain has left that was killed takes new flows again, as far as its generation may. */
static void drains_end(const struct steer_sweep *sweep, struct steer_group *group)
{
	bool ended[SLUICE_STEER_SLOTS] = { false };
	int slot;

	for (slot = 0; slot < SLUICE_STEER_SLOTS; slot++) {
		ended[slot] = drain_lock_is_stale(group, slot);
		if (!ended[slot])
			continue;
		group->slots[slot].state = SLUICE_STEER_RETIRED;
		if (!is_told(group, ended, slot))
			sweep_tell_group(sweep, STEER_DRAIN_LAPSED, group, &group->slots[slot], 0,
					 NULL);
	}
}

void sweep_slots_assign(struct steer_sweep *sweep, struct steer_group *group,
			const struct sluice_socket_record *const *members, int count)
{
	struct sluice_steer_slot before[SLUICE_STEER_SLOTS];
	__u32 rank[SLUICE_STEER_SLOTS] = { 0 };
	__u32 peak = group->info.peak;
	struct err err = { 0 };
	int slot, result;

	memcpy(before, group->slots, sizeof(before));
	drains_end(sweep, group);
	if (sweep->regroup)
		generations_forget(sweep, group);
	if (generation_assign(group->slots, SLUICE_STEER_SLOTS, clock_now_ns(CLOCK_BOOTTIME),
			      &group->info.peak))
		tell_generation(sweep, group);
	if (peak != group->info.peak && steer_group_write_info(group, &err))
		sweep_tell_group(sweep, STEER_GROUP_FAILED, group, NULL, 0, err.what);
	for (slot = 0; slot < SLUICE_STEER_SLOTS; slot++) {
		const struct sluice_steer_slot *at = &group->slots[slot];
		const struct sluice_socket_record *record;

		if (at->state == SLUICE_STEER_FREE)
			continue;
		record = member_of_cookie(members, count, at->cookie);
		rank[slot] = record ? record->group_index : SLUICE_NO_INDEX;
		if (memcmp(at, &before[slot], sizeof(*at)))
			steer_group_write(group, slot);
	}
	result = steer_group_choose(group, rank);
	if (!result && sweep->setting.policy == SLUICE_STEER_CPU)
		result = steer_placement(group, consumers_fd(sweep));
	if (result)
		sweep_tell_group(sweep, STEER_GROUP_FAILED, group, NULL, 0, strerror(-result));
}

int sweep_slots_used(const struct steer_group *group)
{
	int slot, used = 0;

	for (slot = 0; slot < SLUICE_STEER_SLOTS; slot++)
		used += group->slots[slot].state != SLUICE_STEER_FREE;
	return used;
}
