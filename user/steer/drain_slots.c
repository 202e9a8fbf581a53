// SPDX-License-Identifier: GPL-2.0-or-later
#include "steer/drain_slots.h"

#include "kernel/pins.h"
#include "steer/group/drain_lock.h"
#include "steer/group/groups.h"
#include "steer/group/instance.h"
#include "steer/group/slots.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- sockets */

static bool is_of_process(const struct drain *drain, const struct sluice_steer_slot *slot)
{
	if (slot->state == SLUICE_STEER_FREE)
		return false;
	return slot->pid == drain->options->pid ||
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
	__u64 cookie;
	int fd = record ? sockets_take(record, &cookie) : -ESTALE, result;

	if (fd == -ESTALE)
		return 0;
	if (fd < 0)
		return err_set(drain->err, EXIT_ERROR, -fd, "socket of %s (%u): %s", record->comm,
			       record->pid, strerror(-fd));
	if (drain->count == DRAIN_SOCKETS_MAX) {
		close(fd);
		return err_set(drain->err, EXIT_ERROR, E2BIG, "more than %d sockets",
			       DRAIN_SOCKETS_MAX);
	}
	drain->held++;
	drain->all[drain->count++] = (struct drained){ .group = group,
						       .cookie = group->slots[slot].cookie,
						       .slot = slot,
						       .fd = fd,
						       .drops = drain_socket_drops(fd) };
	result = pid_watch_add(&drain->watch, record->pid);
	return result ? err_set(drain->err, EXIT_ERROR, -result, "steer drain: %s",
				strerror(-result))
		      : 0;
}

/* Compares cookies, as the process that a slot names may have exited since. */
static bool is_held(const struct drain *drain, const struct sluice_steer_slot *slot)
{
	int i;

	for (i = 0; i < drain->count; i++)
		if (drain->all[i].cookie == slot->cookie)
			return true;
	return false;
}

/* Does a slot of another process take new flows now, or after the next sweep? */
static bool has_others(const struct drain *drain, struct steer_group *group)
{
	int i;

	for (i = 0; i < SLUICE_STEER_SLOTS; i++) {
		const struct sluice_steer_slot *slot = &group->slots[i];

		if ((slot->state == SLUICE_STEER_ACTIVE || slot->state == SLUICE_STEER_RETIRED ||
		     drain_lock_is_stale(group, i)) &&
		    !is_held(drain, slot) && !is_of_process(drain, slot))
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
			"start the new instance of the server first, and steer it ('sluice steer"
			" load' again, if 'sluice run' does not)");
}

int drain_collect(struct drain *drain)
{
	struct steer_groups_open *groups = &drain->groups;
	/* a socket that only another drain holds belongs to that drain */
	int i = 0, slot, before, result = sockets_read_others(&drain->sockets, drain->err);

	if (!result)
		result = steer_groups_read(drain->options->bpffs, groups, false, drain->err);
	if (result)
		return result;
	while (i < groups->count) {
		struct steer_group *group = groups->group[i];

		before = drain->count;
		for (slot = 0; slot < SLUICE_STEER_SLOTS && !result; slot++)
			if (is_of_process(drain, &group->slots[slot]))
				result = socket_hold(drain, group, slot);
		if (result)
			return result;
		if (drain->count == before) {
			steer_group_close(group);
			groups->group[i] = groups->group[--groups->count];
			continue;
		}
		if (!has_others(drain, group))
			return refuse_last(drain, group);
		i++;
	}
	if (!drain->count)
		return err_hint(drain->err,
				err_set(drain->err, EXIT_ERROR, ESRCH,
					"process %u has no steered socket", drain->options->pid),
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

	/* an earlier drain may have completed */
	if (result || *state_of(drained) == SLUICE_STEER_DRAINED)
		return result;
	*state_of(drained) = SLUICE_STEER_DRAINING;
	return steer_group_write(drained->group, drained->slot);
}

/* Leaves the state at draining: it reveals a drain that is killed before the queue is empty. */
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
		if (drain_has_slot(&drain->all[i]))
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
	int result = steer_sweep(&drain->loader, options->bpffs, options->fn, options->arg,
				 drain->err);

	if (!result)
		result = drain_slots_set(drain, true, step);
	if (!result)
		result = steer_sweep(&drain->loader, options->bpffs, NULL, NULL, drain->err);
	return result;
}

/* Another drain may have completed on the slot, or still be running on it. */
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
		steer_sweep(&drain->loader, drain->options->bpffs, NULL, NULL, &ignored);
	drain->err = err;
}
