// SPDX-License-Identifier: GPL-2.0-or-later
#include "steer/drain_slots.h"

#include "kernel/pins_lock.h"
#include "steer/group/drain_lock.h"
#include "steer/group/groups.h"
#include "steer/group/slots.h"

#include <errno.h>
#include <string.h>

/* --- sockets */

/*
 * Returns true if a slot of another server takes new flows now, or can take them after the next
 * sweep.
 */
static bool has_others(const struct drain *drain, struct steer_group *group)
{
	bool own[SLUICE_STEER_SLOTS];
	int slot, i;

	server_select(&drain->server, group, own);
	/* only the cookie identifies the slot of a closed socket */
	for (i = 0; i < drain->count; i++)
		if (drain->all[i].group == group && drain_has_slot(&drain->all[i]))
			own[drain->all[i].slot] = true;
	for (slot = 0; slot < SLUICE_STEER_SLOTS; slot++) {
		__u16 state = group->slots[slot].state;

		if (own[slot] || !steer_group_holds(group, slot))
			continue;
		if (state == SLUICE_STEER_ACTIVE || state == SLUICE_STEER_RETIRED ||
		    drain_lock_is_stale(group, slot))
			return true;
	}
	return false;
}

static int refuse_last(const struct drain *drain, const struct steer_group *group)
{
	return err_hint(drain->err,
			err_set(drain->err, EXIT_CONFLICT, EBUSY,
				"port %u: no other process takes the flows of process %u",
				group->info.port, drain->options->pid),
			"start the new instance of the server first; --wait SECONDS waits for its"
			" sockets");
}

static int socket_add(struct drain *drain, struct steer_group *group, int slot)
{
	const struct sluice_steer_slot *at = &group->slots[slot];

	if (drain->count == DRAIN_SOCKETS_MAX)
		return err_set(drain->err, EXIT_ERROR, E2BIG, "more than %d sockets",
			       DRAIN_SOCKETS_MAX);
	drain->all[drain->count++] = (struct drained){
		.group = group,
		.cookie = at->cookie,
		.sock = at->sock,
		.slot = slot,
		.incarnation = at->incarnation,
		.drained = at->state == SLUICE_STEER_DRAINED,
	};
	return 0;
}

int drain_collect(struct drain *drain)
{
	struct steer_groups_open *groups = &drain->groups;
	bool own[SLUICE_STEER_SLOTS];
	struct sockets_filter filter = { 0 };
	int i = 0, slot, result;

	result = steer_groups_read(drain->options->bpffs, groups, false, drain->err);
	if (result)
		return result;
	steer_groups_filter(groups, &filter);
	result = sockets_read(&drain->sockets, &filter, drain->err);
	drain->server.sockets = drain->sockets;
	while (!result && i < groups->count) {
		struct steer_group *group = groups->group[i];

		if (!server_select(&drain->server, group, own)) {
			steer_group_close(group);
			groups->group[i] = groups->group[--groups->count];
			continue;
		}
		for (slot = 0; slot < SLUICE_STEER_SLOTS && !result; slot++)
			if (own[slot])
				result = socket_add(drain, group, slot);
		if (!result && !has_others(drain, group))
			return refuse_last(drain, group);
		i++;
	}
	if (!result && !drain->count)
		return server_has_none(drain->options->pid, drain->err);
	return result;
}

void drain_forget(struct drain *drain)
{
	steer_groups_close(&drain->groups);
	sockets_free(drain->sockets);
	drain->sockets = NULL;
	drain->count = 0;
}

/* --- slots */

bool drain_has_slot(const struct drained *drained)
{
	return drained->group->slots[drained->slot].cookie == drained->cookie;
}

/*
 * steer_group_expel() increments the incarnation of the slot, and so does a socket that joins
 * later.
 */
bool drain_is_handed_over(const struct drained *drained)
{
	const struct sluice_steer_slot *slot = &drained->group->slots[drained->slot];
	__u16 raised = (__u16)(slot->incarnation - drained->incarnation);
	bool reused = slot->state != SLUICE_STEER_FREE && !drain_has_slot(drained);

	return drained->drained || raised > reused;
}

static __u16 *state_of(const struct drained *drained)
{
	return &drained->group->slots[drained->slot].state;
}

int drain_slot_draining(struct drained *drained)
{
	int result = drain_lock_take(drained->group, drained->slot);

	/* an earlier drain may have completed on this slot */
	if (result || !drain_has_slot(drained) || *state_of(drained) == SLUICE_STEER_DRAINED)
		return result;
	*state_of(drained) = SLUICE_STEER_DRAINING;
	return steer_group_write(drained->group, drained->slot);
}

/*
 * Expels the flows of a slot. The state stays "draining", so that a sweep can detect a killed
 * drain.
 */
int drain_slot_expel(struct drained *drained)
{
	return drain_has_slot(drained) && *state_of(drained) == SLUICE_STEER_DRAINING
		       ? steer_group_expel(drained->group, drained->slot)
		       : 0;
}

int drain_slot_end(struct drained *drained)
{
	struct steer_group *group = drained->group;
	int result = 0;

	/* of several drains, only the last counts the datagrams */
	if (drained->queue.datagrams && !drain_lock_other(group, drained->slot)) {
		result = steer_group_reload_info(group);
		group->info.drain_unread += drained->queue.datagrams;
		if (!result)
			result = steer_group_write_info(group, &(struct err){ 0 });
	}
	if (result || !drain_has_slot(drained) || *state_of(drained) != SLUICE_STEER_DRAINING)
		return result;
	*state_of(drained) = SLUICE_STEER_DRAINED;
	return steer_group_write(group, drained->slot);
}

int drain_slots_set(struct drain *drain, bool needs_others, int (*step)(struct drained *drained))
{
	struct pins pins;
	int i, result = pins_lock(&pins, drain->options->bpffs, false, drain->err);

	if (result)
		return result;
	for (i = 0; i < drain->groups.count; i++) {
		struct steer_group *group = drain->groups.group[i];

		result = steer_group_reload(group);
		if (result)
			goto failed;
		if (needs_others && !has_others(drain, group)) {
			result = refuse_last(drain, group);
			goto unlock;
		}
	}
	for (i = 0; i < drain->count && !result; i++)
		result = step(&drain->all[i]);
failed:
	if (result)
		err_set(drain->err, EXIT_ERROR, -result, "slots: %s", strerror(-result));
unlock:
	pins_unlock(&pins);
	return result;
}

int drain_slots_give(struct drain *drain, int (*step)(struct drained *drained))
{
	const struct steer_drain_options *options = drain->options;
	int result = steer_sweep(&drain->loader, options->bpffs, NULL, NULL, drain->err);

	if (!result)
		result = drain_slots_set(drain, true, step);
	if (!result)
		result = steer_sweep(&drain->loader, options->bpffs, NULL, NULL, drain->err);
	return result;
}

/* Ends the drain of a slot, unless another drain has completed or is running on it. */
static int slot_restore(struct drained *drained)
{
	if (!drain_has_slot(drained) || *state_of(drained) != SLUICE_STEER_DRAINING ||
	    drain_lock_other(drained->group, drained->slot))
		return 0;
	*state_of(drained) = SLUICE_STEER_RETIRED;
	return steer_group_write(drained->group, drained->slot);
}

void drain_slots_restore(struct drain *drain)
{
	struct err ignored = { 0 }, *err = drain->err;

	drain->err = &ignored;
	if (!drain_slots_set(drain, false, slot_restore))
		steer_sweep(&drain->loader, drain->options->bpffs, NULL, NULL, &ignored);
	drain->err = err;
}
