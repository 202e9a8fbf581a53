// SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause)
/*
 * sluice_steer selects the socket of a reuseport group for a datagram.
 *
 * A recorded flow stays with its worker. A new flow starts from the kernel's own choice (its hash,
 * scaled to the sockets in its own order): loading the program moves no flow, and a flow without
 * room in the table keeps its worker as long as the group does not change.
 *
 * The program never drops: if it cannot select, it returns without a selection, and the kernel
 * makes its own (net/core/sock_reuseport.c, reuseport_select_sock()). The kernel removes a closed
 * socket from sluice_sockets, so the flows of a dead worker move without user space.
 */
#include "common/kernel.h"

#include "steer/choice.h"
#include "steer/load.h"
#include "steer/maps.h"
#include "steer/sock.h"
#include "steer/table.h"

#include <bpf/bpf_helpers.h>
#include <linux/udp.h>
#include <sluice/steer.h>

/* The context's data starts at the UDP header. */
static __always_inline bool print_read(struct datagram *of)
{
	const struct udphdr *udp = of->ctx->data;
	bool by_source = policy == SLUICE_STEER_SOURCE;
	union {
		__u64 word[4];
		__be32 ip4_be[2];
	} addrs;
	__be16 port_be;

	if ((const void *)(udp + 1) > of->ctx->data_end)
		return false;
	port_be = by_source ? 0 : udp->source;
	if (of->ctx->eth_protocol == bpf_htons(ETH_P_IP)) {
		if (!addrs_read_ip4(of, addrs.word))
			return false;
		if (by_source)
			addrs.ip4_be[1] = 0;
		of->print = sluice_steer_print(&keys, addrs.word, 1, port_be);
	} else if (of->ctx->eth_protocol == bpf_htons(ETH_P_IPV6)) {
		if (!addrs_read_ip6(of, addrs.word))
			return false;
		if (by_source)
			addrs.word[2] = addrs.word[3] = 0;
		of->print = sluice_steer_print(&keys, addrs.word, 4, port_be);
	} else {
		return false;
	}
	of->hash = sluice_steer_hash(of->print);
	return true;
}

static __always_inline void slot_account(const struct datagram *of, __u32 index, bool begins,
					 bool moves)
{
	struct sluice_steer_stats *stats = bpf_map_lookup_elem(&sluice_stats, &index);

	if (!stats)
		return;
	/* datagrams that the kernel has merged (GRO) count as one, here and in count() */
	stats->datagrams++;
	stats->bytes += of->ctx->len;
	stats->flows += begins;
	stats->moved += moves;
	if (policy == SLUICE_STEER_LOAD)
		recent_flush(index, of->now, begins, stats->datagrams);
}

/* --- new flows */

/*
 * A flow without room in the table needs the same choice for each of its datagrams: by hash, not by
 * load.
 */
static __always_inline bool goes_by_load(const struct datagram *of, struct sluice_steer_set *set,
					 __u32 way)
{
	if (policy != SLUICE_STEER_LOAD)
		return false;
	return way < SLUICE_STEER_WAYS || set_place(set, of) < SLUICE_STEER_WAYS;
}

/* @way is the flow's, if it is recorded; @why is SLUICE_STEER_started, or why it moves. */
static __always_inline int flow_begin(const struct datagram *of, struct sluice_steer_set *set,
				      __u32 way, enum sluice_steer_counter why)
{
	const struct sluice_steer_slot *slot;
	__u32 index;

	if (!choose(of, goes_by_load(of, set, way), &index))
		return SK_PASS;
	slot = bpf_map_lookup_elem(&sluice_slots, &index);
	if (!slot)
		return SK_PASS;
	flow_record(of, set, way, index, slot->incarnation);
	count(why);
	slot_account(of, index, true, why != SLUICE_STEER_started);
	return SK_PASS;
}

/* --- recorded flows */

/* A draining slot has already lost its flows by the time its queue is emptied. */
static __always_inline bool is_drained(const struct sluice_steer_slot *slot)
{
	return slot->state == SLUICE_STEER_DRAINING || slot->state == SLUICE_STEER_DRAINED;
}

/* Selects the flow's worker. Returns SLUICE_STEER_known, or why the flow needs another one. */
static __always_inline enum sluice_steer_counter flow_follow(const struct datagram *of,
							     struct sluice_steer_set *set,
							     __u32 way)
{
	__u64 owner = *way_owner(set, way), again = sluice_steer_owner_again(owner, of->now);
	__u32 index = sluice_steer_owner_slot(owner);
	__u16 incarnation = sluice_steer_owner_incarnation(owner);
	const struct sluice_steer_slot *slot;

	if (!sluice_steer_owner_checks(owner, of->print))
		return SLUICE_STEER_started;
	slot = bpf_map_lookup_elem(&sluice_slots, &index);
	if (!slot || !incarnation || slot->incarnation != incarnation)
		return slot && is_drained(slot) ? SLUICE_STEER_moved_drained
						: SLUICE_STEER_moved_gone;
	if (slot->state != SLUICE_STEER_ACTIVE && flow_is_expired(owner, of->now))
		return SLUICE_STEER_moved_idle;
	if (!slot_select(of, slot, index))
		return SLUICE_STEER_moved_gone;
	if (again != owner)
		*way_owner(set, way) = again;
	slot_account(of, index, false, false);
	return SLUICE_STEER_known;
}

/* --- policy cpu: keeps no flows, since the NIC chooses the CPU that a flow arrives on */

static __always_inline int steer_by_cpu(const struct datagram *of)
{
	__u32 slot;

	if (cpu_select(of, &slot)) {
		count(SLUICE_STEER_known);
	} else {
		if (!choose(of, false, &slot))
			return SK_PASS;
		count(SLUICE_STEER_cpu_other);
	}
	slot_account(of, slot, false, false);
	return SK_PASS;
}

static __always_inline int steer(struct sk_reuseport_md *ctx, bool casts)
{
	enum sluice_steer_counter why = SLUICE_STEER_started;
	struct datagram of = { .ctx = ctx, .now = tick_clock(), .casts = casts };
	struct sluice_steer_set *set;
	__u32 index, way;

	if (policy == SLUICE_STEER_CPU)
		return steer_by_cpu(&of);
	if (!print_read(&of)) {
		count(SLUICE_STEER_kernel_header);
		return SK_PASS;
	}
	index = sluice_flow_set_index(of.hash, sets);
	set = bpf_map_lookup_elem(&sluice_table, &index);
	if (!set)
		return SK_PASS;
	way = flow_find(set, &of);
	if (way < SLUICE_STEER_WAYS)
		why = flow_follow(&of, set, way);
	if (why == SLUICE_STEER_known) {
		count(SLUICE_STEER_known);
		return SK_PASS;
	}
	return flow_begin(&of, set, way, why);
}

SEC("sk_reuseport")
int sluice_steer(struct sk_reuseport_md *ctx)
{
	return steer(ctx, true);
}

/* For kernels without the kfuncs of steer/sock.h. */
SEC("sk_reuseport")
int sluice_steer_h(struct sk_reuseport_md *ctx)
{
	return steer(ctx, false);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
