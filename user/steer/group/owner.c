// SPDX-License-Identifier: GPL-2.0-or-later
#include "steer/group/owner.h"

#include "steer/group/instance.h"

#include <string.h>

/* init holds the sockets of socket-activated services. */
#define INIT_PID 1

bool owner_holds(const struct sockets *sockets, __u64 cookie, __u32 pid)
{
	const struct sluice_socket_record *at = sockets_find(sockets, cookie);

	for (; at; at = sockets_next_holder(at))
		if (at->pid == pid)
			return true;
	return false;
}

/* Returns true if @giver has started the server of process @pid and passed the socket to it. */
static bool is_given(__u32 giver, __u32 pid)
{
	return instance_is_below(pid, giver) && instance_of(pid, SLUICE_STEER_BY_PROCESS) !=
							instance_of(giver, SLUICE_STEER_BY_PROCESS);
}

const struct sluice_socket_record *owner_among(const struct sluice_socket_record *first)
{
	const struct sluice_socket_record *at, *owner = NULL;

	for (at = first; at; at = sockets_next_holder(at))
		if (!sockets_is_sluice(at->pid) && (!owner || is_given(owner->pid, at->pid)))
			owner = at;
	return owner;
}

const struct sluice_socket_record *owner_of(const struct sockets *sockets,
					    const struct sluice_steer_slot *slot)
{
	const struct sluice_socket_record *first = sockets_find(sockets, slot->cookie), *at;

	for (at = first; at && slot->pid != INIT_PID; at = sockets_next_holder(at))
		if (at->pid == slot->pid)
			return at;
	return owner_among(first);
}

int owners_count(const struct sluice_socket_record *first)
{
	const struct sluice_socket_record *at;
	int count = 0;

	for (at = first; at; at = sockets_next_holder(at))
		count += at->pid != INIT_PID && !sockets_is_sluice(at->pid);
	return count;
}

/* Returns true if any slot of the instance is still owned by the process recorded in the slot. */
static bool has_kept(const struct steer_group *group,
		     const struct sluice_socket_record *const *owner, __u64 instance)
{
	int slot;

	for (slot = 0; slot < SLUICE_STEER_SLOTS; slot++)
		if (owner[slot] && group->slots[slot].instance == instance &&
		    owner[slot]->pid == group->slots[slot].pid)
			return true;
	return false;
}

/*
 * Returns the successor of an instance whose processes have all exited or passed on their sockets.
 * All sockets of the instance get the same successor, even if several processes now hold them.
 */
static __u64 successor(const struct steer_group *group,
		       const struct sluice_socket_record *const *owner, __u64 instance)
{
	const struct sluice_socket_record *lowest = NULL;
	int slot;

	for (slot = 0; slot < SLUICE_STEER_SLOTS; slot++)
		if (owner[slot] && group->slots[slot].instance == instance &&
		    (!lowest || owner[slot]->pid < lowest->pid))
			lowest = owner[slot];
	return lowest ? instance_of(lowest->pid, SLUICE_STEER_BY_PROCESS) : instance;
}

void owners_update(struct steer_group *group, const struct sockets *sockets,
		   enum sluice_steer_generations by)
{
	const struct sluice_socket_record *owner[SLUICE_STEER_SLOTS] = { NULL };
	__u64 instance[SLUICE_STEER_SLOTS];
	struct sluice_steer_slot *at;
	int slot;

	for (slot = 0; slot < SLUICE_STEER_SLOTS; slot++)
		if (group->slots[slot].state != SLUICE_STEER_FREE)
			owner[slot] = owner_of(sockets, &group->slots[slot]);
	for (slot = 0; slot < SLUICE_STEER_SLOTS; slot++) {
		at = &group->slots[slot];
		instance[slot] = at->instance;
		if (!owner[slot] || owner[slot]->pid == at->pid)
			continue;
		instance[slot] = by != SLUICE_STEER_BY_PROCESS || at->pid == INIT_PID ||
						 has_kept(group, owner, at->instance)
					 ? instance_of(owner[slot]->pid, by)
					 : successor(group, owner, at->instance);
	}
	for (slot = 0; slot < SLUICE_STEER_SLOTS; slot++) {
		at = &group->slots[slot];
		at->instance = instance[slot];
		if (!owner[slot])
			continue;
		at->pid = owner[slot]->pid;
		memcpy(at->comm, owner[slot]->comm, sizeof(at->comm));
	}
}
