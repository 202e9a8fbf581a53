// SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause)
/*
 * Clears flows whose local address has left the host.  User space finds them and then runs this
 * (BPF_PROG_TEST_RUN), set by set.  It could write the sets itself with BPF_F_LOCK, but not read
 * and write one as a whole under the lock: a flow that sluice_learn stores in between would be
 * lost.
 *
 * It is attached nowhere.
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>
#include <sluice/purge.h>

/* The pinned one of the reply plane. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sluice_flow_set);
} sluice_flows SEC(".maps");

/* The number of slots cleared. */
SEC("tc")
int sluice_purge(struct __sk_buff *skb)
{
	struct sluice_purge *ask = (void *)(long)skb->data;
	struct sluice_flow_set *set;
	struct sluice_addr local;
	__u32 index, netns, before, way;
	int cleared = 0;

	if ((void *)(ask + 1) > (void *)(long)skb->data_end)
		return 0;
	local = ask->local;
	netns = ask->netns;
	before = ask->before;
	index = ask->set;
	set = bpf_map_lookup_elem(&sluice_flows, &index);
	if (!set)
		return 0;
	bpf_spin_lock(&set->lock);
#pragma unroll
	for (way = 0; way < SLUICE_FLOW_WAYS; way++) {
		const struct sluice_flow *flow = &set->flow[way];

		if (!set->tag[way] || flow->netns != netns ||
		    flow->local.half[0] != local.half[0] || flow->local.half[1] != local.half[1] ||
		    (__s32)(before - set->seen[way]) <= 0)
			continue;
		set->tag[way] = 0;
		cleared++;
	}
	bpf_spin_unlock(&set->lock);
	return cleared;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
