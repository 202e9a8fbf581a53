// SPDX-License-Identifier: GPL-2.0-or-later
#include "steer/group/slots.h"

#include "kernel/state_dir.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int steer_group_slot(const struct steer_group *group, __u64 cookie)
{
	int slot;

	for (slot = 0; slot < SLUICE_STEER_SLOTS; slot++)
		if (group->slots[slot].state != SLUICE_STEER_FREE &&
		    group->slots[slot].cookie == cookie)
			return slot;
	return -1;
}

int steer_group_write(const struct steer_group *group, int slot)
{
	__u32 key = (__u32)slot;

	return bpf_map_update_elem(group->slots_fd, &key, &group->slots[slot], BPF_EXIST) ? -errno
											  : 0;
}

static void incarnation_raise(struct sluice_steer_slot *slot)
{
	if (!++slot->incarnation)
		slot->incarnation = 1;
}

static int slot_free(const struct steer_group *group)
{
	int slot;

	for (slot = 0; slot < SLUICE_STEER_SLOTS; slot++)
		if (group->slots[slot].state == SLUICE_STEER_FREE)
			return slot;
	return -ENOSPC;
}

static int stats_clear(const struct steer_group *group, __u32 slot)
{
	void *zero = calloc((size_t)libbpf_num_possible_cpus(), sizeof(struct sluice_steer_stats));
	int result = zero ? 0 : -ENOMEM;

	if (zero && bpf_map_update_elem(group->stats_fd, &slot, zero, BPF_EXIST))
		result = -errno;
	free(zero);
	return result;
}

int steer_group_join(struct steer_group *group, int socket_fd, __u64 cookie,
		     const struct sluice_socket_record *record, __u64 instance)
{
	int slot = slot_free(group), result;
	struct sluice_steer_slot *to;
	__u64 value = (__u64)socket_fd;
	struct socket_memory memory = { 0 };
	__u32 key = (__u32)slot;

	if (slot < 0)
		return slot;
	to = &group->slots[slot];
	incarnation_raise(to);
	sockets_memory(socket_fd, &memory);
	*to = (struct sluice_steer_slot){ .cookie = cookie,
					  .sock = record->sock,
					  .joined_ns = plane_now_ns(CLOCK_BOOTTIME),
					  .instance = instance,
					  .pid = record->pid,
					  .incarnation = to->incarnation,
					  .state = SLUICE_STEER_ACTIVE,
					  .drops_before = memory.drops };
	memcpy(to->comm, record->comm, sizeof(to->comm));
	result = stats_clear(group, key);
	if (!result)
		result = steer_group_write(group, slot);
	/* last, so that no datagram meets a slot that is not described */
	if (!result && bpf_map_update_elem(group->sockets_fd, &key, &value, BPF_ANY))
		result = -errno;
	if (result)
		steer_group_leave(group, slot);
	return result ? result : slot;
}

int steer_group_leave(struct steer_group *group, int slot)
{
	struct sluice_steer_slot *from = &group->slots[slot];
	__u32 key = (__u32)slot;

	bpf_map_delete_elem(group->sockets_fd, &key);
	*from = (struct sluice_steer_slot){ .incarnation = from->incarnation };
	return steer_group_write(group, slot);
}

void steer_group_forget(const struct steer_group *group)
{
	__u32 slot;

	for (slot = 0; slot < SLUICE_STEER_SLOTS; slot++)
		if (group->slots[slot].state != SLUICE_STEER_FREE)
			bpf_map_delete_elem(group->sockets_fd, &slot);
}

bool steer_group_holds(const struct steer_group *group, int slot)
{
	__u32 key = (__u32)slot;
	__u64 cookie;

	return !bpf_map_lookup_elem(group->sockets_fd, &key, &cookie) &&
	       cookie == group->slots[slot].cookie;
}

int steer_group_expel(struct steer_group *group, int slot)
{
	incarnation_raise(&group->slots[slot]);
	return steer_group_write(group, slot);
}
