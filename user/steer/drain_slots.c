// SPDX-License-Identifier: GPL-2.0-or-later
#include "steer/drain_slots.h"

#include "kernel/pins.h"
#include "steer/group/drain_lock.h"
#include "steer/group/groups.h"
#include "steer/group/instance.h"
#include "steer/group/slots.h"
#include "steer/steer.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- which sockets */

static bool is_meant(const struct drain *drain, const struct sluice_steer_slot *slot)
{
	if (slot->state == SLUICE_STEER_FREE)
		return false;
	return slot->pid == drain->pid ||
	       (drain->instance &&
		instance_of(slot->pid, SLUICE_STEER_BY_PROCESS) == drain->instance);
}

__u32 drain_socket_drops(int fd)
{
	__u32 memory[SK_MEMINFO_VARS] = { 0 };
	socklen_t length = sizeof(memory);

	return getsockopt(fd, SOL_SOCKET, SO_MEMINFO, memory, &length) ? 0
								       : memory[SK_MEMINFO_DROPS];
}

static int socket_hold(struct drain *drain, struct steer_group *group, int slot)
{
	const struct sluice_socket_record *record = sockets_find(drain->sockets,
								 group->slots[slot].cookie);
	struct drained *drained = &drain->all[drain->count];
	__u64 cookie;
	int fd = record ? sockets_take(record, &cookie) : -ESTALE;

	if (fd == -ESTALE)
		return 0;
	if (fd < 0)
		return err_set(drain->err, fd == -EPERM ? EXIT_PERMISSION : EXIT_ERROR, -fd,
			       "socket of %s (%u): %s", record->comm, record->pid, strerror(-fd));
	if (drain->count == DRAIN_SOCKETS_MAX) {
		close(fd);
		return err_set(drain->err, EXIT_ERROR, E2BIG, "more than %d sockets",
			       DRAIN_SOCKETS_MAX);
	}
	drain->held++;
	*drained = (struct drained){ .group = group,
				     .cookie = group->slots[slot].cookie,
				     .slot = slot,
				     .fd = fd,
				     .drops = drain_socket_drops(fd) };
	drain->count++;
	return pid_watch_add(&drain->holders, record->pid);
}

/* Does the slot take new flows, or will it with the next sweep? */
static bool slot_takes(struct steer_group *group, int slot)
{
	__u16 state = group->slots[slot].state;

	return state == SLUICE_STEER_ACTIVE || state == SLUICE_STEER_RETIRED ||
	       drain_lock_is_stale(group, slot);
}

/* One whose process has ended meanwhile is nobody's any more, and is drained nevertheless. */
static bool is_held(const struct drain *drain, const struct sluice_steer_slot *slot)
{
	int i;

	for (i = 0; i < drain->count; i++)
		if (drain->all[i].cookie == slot->cookie)
			return true;
	return false;
}

/* Is there anybody else for the flows? */
static bool has_others(const struct drain *drain, struct steer_group *group)
{
	int slot;

	for (slot = 0; slot < SLUICE_STEER_SLOTS; slot++)
		if (slot_takes(group, slot) && !is_held(drain, &group->slots[slot]) &&
		    !is_meant(drain, &group->slots[slot]))
			return true;
	return false;
}

static int refuse_last(const struct drain *drain, const struct steer_group *group)
{
	return err_hint(drain->err,
			err_set(drain->err, EXIT_CONFLICT, EBUSY,
				"port %u: no other process takes the flows of process %u",
				group->info.port, drain->pid),
			"start the new instance of the server first, and steer it ('sluice steer"
			" load' again, if 'sluice run' does not)");
}

/* The group is opened anew, since the one given is closed behind this call. */
static int group_collect(struct steer_group *given, void *arg)
{
	struct drain *drain = arg;
	struct steer_group *group, **groups;
	int slot, result = 0, before = drain->count;

	for (slot = 0; slot < SLUICE_STEER_SLOTS; slot++)
		if (is_meant(drain, &given->slots[slot]))
			break;
	if (slot == SLUICE_STEER_SLOTS)
		return 0;
	groups = realloc(drain->groups, ((size_t)drain->group_count + 1) * sizeof(*groups));
	if (!groups)
		return -ENOMEM;
	drain->groups = groups;
	result = steer_group_open(given->dir, given->name, &group, drain->err);
	if (result)
		return result;
	drain->groups[drain->group_count++] = group;
	for (slot = 0; !result && slot < SLUICE_STEER_SLOTS; slot++)
		if (is_meant(drain, &group->slots[slot]))
			result = socket_hold(drain, group, slot);
	if (!result && drain->count > before && !has_others(drain, group))
		result = refuse_last(drain, group);
	return result;
}

int drain_collect(struct drain *drain)
{
	/* what another drain alone holds is in its hands */
	int result = sockets_read_others(&drain->sockets, drain->err);

	if (!result)
		result = steer_groups(drain->bpffs, group_collect, drain, drain->err);
	if (result)
		return drain->err->code ? result
					: err_set(drain->err, EXIT_ERROR, -result,
						  "steer drain: %s", strerror(-result));
	if (!drain->count)
		return err_hint(drain->err,
				err_set(drain->err, EXIT_ERROR, ESRCH,
					"process %u has no steered socket", drain->pid),
				"'sluice steer show' lists those that have");
	return 0;
}

/* --- slots */

bool drain_has_slot(const struct drained *drained)
{
	return drained->group->slots[drained->slot].cookie == drained->cookie;
}

static __u16 *state_of(const struct drained *drained)
{
	return &drained->group->slots[drained->slot].state;
}

int drain_slot_draining(struct drained *drained)
{
	int result = drain_lock_take(drained->group, drained->slot);

	/* by a drain before this one */
	if (result || *state_of(drained) == SLUICE_STEER_DRAINED)
		return result;
	*state_of(drained) = SLUICE_STEER_DRAINING;
	return steer_group_write(drained->group, drained->slot);
}

/* It is draining until its queue is empty: a drain that is killed before that is seen by it. */
int drain_slot_expel(struct drained *drained)
{
	return *state_of(drained) == SLUICE_STEER_DRAINING
		       ? steer_group_expel(drained->group, drained->slot)
		       : 0;
}

int drain_slot_left(struct drained *drained)
{
	return drained->left ? drain_slot_expel(drained) : 0;
}

int drain_slot_emptied(struct drained *drained)
{
	if (drained->fd >= 0 || *state_of(drained) != SLUICE_STEER_DRAINING)
		return 0;
	*state_of(drained) = SLUICE_STEER_DRAINED;
	return steer_group_write(drained->group, drained->slot);
}

static bool is_drained(const struct drain *drain, const struct steer_group *group)
{
	int i;

	for (i = 0; i < drain->count; i++)
		if (drain->all[i].group == group)
			return true;
	return false;
}

int drain_slots_set(struct drain *drain, bool needs_others, int (*fn)(struct drained *drained))
{
	struct pins pins;
	int i, result = pins_lock(&pins, drain->bpffs, false, drain->err);

	if (result)
		return result;
	for (i = 0; i < drain->group_count; i++) {
		struct steer_group *group = drain->groups[i];

		result = steer_group_reload(group);
		if (result)
			goto failed;
		if (needs_others && is_drained(drain, group) && !has_others(drain, group)) {
			result = refuse_last(drain, group);
			goto unlock;
		}
	}
	for (i = 0; i < drain->count && !result; i++)
		if (drain_has_slot(&drain->all[i]))
			result = fn(&drain->all[i]);
failed:
	if (result)
		err_set(drain->err, EXIT_ERROR, -result, "slots: %s", strerror(-result));
unlock:
	pins_unlock(&pins);
	return result;
}

int drain_slots_give(struct drain *drain, int (*fn)(struct drained *drained))
{
	int result = steer_sweep(&drain->loader, drain->bpffs, drain->fn, drain->arg, drain->err);

	if (!result)
		result = drain_slots_set(drain, true, fn);
	if (!result)
		result = steer_sweep(&drain->loader, drain->bpffs, NULL, NULL, drain->err);
	return result;
}

/* Another drain may have finished it meanwhile, or be at work on it. */
static int slot_restore(struct drained *drained)
{
	if (*state_of(drained) != SLUICE_STEER_DRAINING ||
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
		steer_sweep(&drain->loader, drain->bpffs, NULL, NULL, &ignored);
	drain->err = err;
}
