// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A flow table of another size takes over the flows of the old one: each goes to its new set, where
 * it takes its own slot or that of one that has been idle for longer.
 */
#include "wire/resize.h"

#include "kernel/flow_table.h"
#include "kernel/state_dir.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

struct move {
	int fd; /* of the new table */
	const struct sluice_wire_meta *meta;
	__u32 now;
};

static bool same_flow(const struct sluice_wire_flow *a, const struct sluice_wire_flow *b)
{
	return !((a->zone ^ b->zone) & ~SLUICE_WIRE_MARKS) &&
	       a->client_port_be == b->client_port_be && a->server_port_be == b->server_port_be &&
	       !memcmp(&a->client, &b->client, sizeof(a->client));
}

/* The slot that the flow has or may take in its new set; -1 if there are newer ones only. */
static int slot_for(const struct sluice_wire_set *set, const struct sluice_wire_flow *flow,
		    __u32 idle, __u32 now)
{
	__u64 longest = idle;
	int way, slot = -1;

	for (way = 0; way < SLUICE_FLOW_WAYS; way++) {
		__u64 there = set->tag[way] ? flow_table_idle(set->seen[way], now) : 1ULL << 32;

		if (set->tag[way] && same_flow(&set->flow[way], flow))
			return there > idle ? way : -1;
		if (there > longest) {
			longest = there;
			slot = way;
		}
	}
	return slot;
}

static int flow_move(const struct move *move, const struct sluice_wire_set *from, int from_way)
{
	const struct sluice_wire_flow *flow = &from->flow[from_way];
	const struct sluice_wire_meta *meta = move->meta;
	__u32 seen = from->seen[from_way];
	struct sluice_wire_set set;
	__u64 hash = sluice_wire_hash(meta->seed, &flow->client, flow->client_port_be,
				      flow->server_port_be, flow->zone);
	__u32 index = sluice_flow_set_index(hash, meta->sets);
	int way;

	if (bpf_map_lookup_elem_flags(move->fd, &index, &set, BPF_F_LOCK))
		return -errno;
	way = slot_for(&set, flow, flow_table_idle(seen, move->now), move->now);
	if (way < 0)
		return 0;
	set.flow[way] = *flow;
	set.tag[way] = sluice_flow_tag(hash);
	set.seen[way] = seen;
	set.unanswered[way] = from->unanswered[from_way];
	return bpf_map_update_elem(move->fd, &index, &set, BPF_EXIST | BPF_F_LOCK) ? -errno : 0;
}

static int set_move(const void *copy, void *arg)
{
	const struct sluice_wire_set *set = copy;
	int way, result = 0;

	for (way = 0; !result && way < SLUICE_FLOW_WAYS; way++)
		if (set->tag[way])
			result = flow_move(arg, set, way);
	return result;
}

int wire_move_flows(int from_fd, int to_fd, const struct sluice_wire_meta *meta)
{
	struct move move = { to_fd, meta, sluice_flow_clock(plane_now_ns(CLOCK_MONOTONIC)) };

	return flow_table_walk(from_fd, sizeof(struct sluice_wire_set), set_move, &move);
}
