// SPDX-License-Identifier: GPL-2.0-or-later
#include "reply/pins.h"

#include "kernel/flow_table.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

const struct plane reply_plane = {
	.name = REPLY_PLANE,
	.meta = "sluice_meta",
	.meta_size = sizeof(struct sluice_reply_meta),
	.abi = SLUICE_REPLY_ABI,
	.load = "sluice reply load --mode socket",
	.own_pin = "sluice_previous",
};

__u32 reply_flow_now(void)
{
	return sluice_flow_clock(plane_now_ns(CLOCK_MONOTONIC_COARSE));
}

struct slot_walk {
	reply_slot_fn fn;
	void *arg;
};

static int set_visit(const void *copy, void *arg)
{
	const struct sluice_flow_set *set = copy;
	const struct slot_walk *walk = arg;
	int result = 0;
	__u32 way;

	for (way = 0; !result && way < SLUICE_FLOW_WAYS; way++)
		if (set->tag[way])
			result = walk->fn(set, way, walk->arg);
	return result;
}

int reply_slots_walk(int fd, reply_slot_fn fn, void *arg)
{
	struct slot_walk walk = { fn, arg };

	return flow_table_walk(fd, sizeof(struct sluice_flow_set), set_visit, &walk);
}

bool reply_table_find(int fd, __u64 seed, __u32 sets, struct sluice_flow *flow)
{
	__u64 hash = sluice_flow_hash(seed, flow->cookie, &flow->peer, flow->peer_port_be);
	__u32 way, index = sluice_flow_set_index(hash, sets);
	struct sluice_flow_set set;

	if (bpf_map_lookup_elem_flags(fd, &index, &set, BPF_F_LOCK))
		return false;
	for (way = 0; way < SLUICE_FLOW_WAYS; way++)
		if (set.tag[way] && set.flow[way].cookie == flow->cookie &&
		    set.flow[way].peer_port_be == flow->peer_port_be &&
		    !memcmp(&set.flow[way].peer, &flow->peer, sizeof(flow->peer))) {
			*flow = set.flow[way];
			return true;
		}
	return false;
}

bool reply_table_has(int fd, __u64 seed, __u32 sets, const struct sluice_flow *flow)
{
	struct sluice_flow found = *flow;

	return reply_table_find(fd, seed, sets, &found);
}
