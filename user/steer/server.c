// SPDX-License-Identifier: GPL-2.0-or-later
#include "steer/server.h"

#include "steer/group/instance.h"
#include "steer/group/owner.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

/*
 * Returns true if the server's process, or a process that was started with it, holds the slot's
 * socket.
 */
static bool is_held(const struct steer_server *server, const struct sluice_steer_slot *slot)
{
	const struct sluice_socket_record *owner;

	if (owner_holds(server->sockets, slot->cookie, server->pid))
		return true;
	owner = owner_of(server->sockets, slot);
	if (!owner && slot->pid == server->pid)
		return true;
	return server->instance && instance_of(owner ? owner->pid : slot->pid,
					       SLUICE_STEER_BY_PROCESS) == server->instance;
}

/*
 * Returns true if the slot's instance belongs to the server, even if its processes have lost their
 * common ancestor. If the slot's process still has the slot's instance, that instance must be the
 * server's own: a service manager holds the sockets of all its services.
 */
static bool is_own_instance(const struct steer_server *server, const struct sluice_steer_slot *slot)
{
	__u64 instance = instance_of(slot->pid, SLUICE_STEER_BY_PROCESS);

	return slot->instance == server->instance || slot->instance != instance;
}

/* Returns true if the slot has the same instance as a slot of the server. */
static bool is_sibling(const struct steer_group *group, const bool *own, int slot)
{
	int i;

	for (i = 0; i < SLUICE_STEER_SLOTS; i++)
		if (own[i] && group->slots[i].instance == group->slots[slot].instance)
			return true;
	return false;
}

int server_select(const struct steer_server *server, const struct steer_group *group,
		  bool *selected)
{
	bool held[SLUICE_STEER_SLOTS] = { false }, own[SLUICE_STEER_SLOTS] = { false };
	int slot, count = 0;

	for (slot = 0; slot < SLUICE_STEER_SLOTS; slot++) {
		held[slot] = group->slots[slot].state != SLUICE_STEER_FREE &&
			     is_held(server, &group->slots[slot]);
		own[slot] = held[slot] && is_own_instance(server, &group->slots[slot]);
	}
	for (slot = 0; slot < SLUICE_STEER_SLOTS; slot++) {
		selected[slot] = held[slot] || (server->by == SLUICE_STEER_BY_PROCESS &&
						group->slots[slot].state != SLUICE_STEER_FREE &&
						is_sibling(group, own, slot));
		count += selected[slot];
	}
	return count;
}

int server_check(__u32 pid, struct err *err)
{
	if (kill((pid_t)pid, 0) && errno == ESRCH)
		return err_set(err, EXIT_ERROR, errno, "process %u: %s", pid, strerror(errno));
	return 0;
}

int server_has_none(__u32 pid, struct err *err)
{
	return err_hint(err,
			err_set(err, EXIT_ERROR, ESRCH, "process %u has no steered socket", pid),
			"'sluice steer show' lists the processes with steered sockets");
}
