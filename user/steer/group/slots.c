// SPDX-License-Identifier: GPL-2.0-or-later
#include "steer/group/slots.h"

#include "base/clock.h"

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

int steer_group_join(struct steer_group *group, int socket_fd, __u64 cookie,
		     const struct sluice_socket_record *record, __u64 instance)
{
	__u64 value = (__u64)socket_fd;
	struct sluice_steer_slot *to;
	__u32 key = 0;
	void *zero;
	int result = 0;

	while (key < SLUICE_STEER_SLOTS && group->slots[key].state != SLUICE_STEER_FREE)
		key++;
	if (key == SLUICE_STEER_SLOTS)
		return -ENOSPC;
	zero = calloc((size_t)libbpf_num_possible_cpus(), sizeof(struct sluice_steer_stats));
	if (!zero)
		return -ENOMEM;
	to = &group->slots[key];
	incarnation_raise(to);
	*to = (struct sluice_steer_slot){ .cookie = cookie,
					  .sock = record->sock,
					  .joined_ns = clock_now_ns(CLOCK_BOOTTIME),
					  .instance = instance,
					  .pid = record->pid,
					  .incarnation = to->incarnation,
					  .state = SLUICE_STEER_ACTIVE,
					  .drops_before = record->drops };
	memcpy(to->comm, record->comm, sizeof(to->comm));
	/* add the socket last, so that no datagram selects an incomplete slot */
	if (bpf_map_update_elem(group->stats_fd, &key, zero, BPF_EXIST) ||
	    bpf_map_update_elem(group->slots_fd, &key, to, BPF_EXIST) ||
	    bpf_map_update_elem(group->sockets_fd, &key, &value, BPF_ANY)) {
		result = -errno;
		steer_group_leave(group, (int)key);
	}
	free(zero);
	return result ? result : (int)key;
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
