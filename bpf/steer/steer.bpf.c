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
#include "common/clock.h"
#include "common/kernel.h"

#include "steer/kernel_choice.h"
#include "steer/load.h"
#include "steer/maps.h"
#include "steer/sock.h"
#include "steer/table.h"

#include <bpf/bpf_helpers.h>
#include <linux/udp.h>
#include <sluice/steer.h>

#define CHOICE_TRIES 4
#define CANDIDATES   4 /* policy load */

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

/* --- slots */

/* @slot is the map value at @index. */
static __always_inline bool slot_select(const struct datagram *of,
					const struct sluice_steer_slot *slot, __u32 index)
{
	return !is_connected(slot, of->casts) &&
	       (kernel_selects(of, slot) ||
		!bpf_sk_select_reuseport(of->ctx, &sluice_sockets, &index, 0));
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

static __always_inline __u32 scale(__u32 hash, __u32 count)
{
	return ((__u64)hash * count) >> 32;
}

/* The compiler proves the range of `at`, but drops the mask that verifiers of 5.10 and 6.1 need. */
static __always_inline __u16 choice_at(const struct sluice_steer_choice *choice, __u64 at)
{
	asm volatile("" : "+r"(at));
	return choice->slot[at % SLUICE_STEER_SLOTS];
}

/* Returns the best of the first slot and its three successors: close to the best, without herding.
 */
static __always_inline __u32 choice_better(const struct datagram *of,
					   const struct sluice_steer_choice *choice, __u32 count,
					   __u32 first)
{
	__u64 least = slot_load(choice_at(choice, first), of), load, try;
	__u32 best = first, at = scale(of->hash >> 32, count);

	for (try = 1; try < CANDIDATES; try++) {
		asm volatile("" : "+r"(try));
		load = slot_load(choice_at(choice, at), of);
		if (load < least) {
			least = load;
			best = at;
		}
		at = at + 1 < count ? at + 1 : 0;
	}
	return best;
}

static __always_inline const struct sluice_steer_choice *choice_now(void)
{
	__u32 zero = 0, *current = bpf_map_lookup_elem(&sluice_current, &zero);
	__u32 index = current ? *current : 0;

	return bpf_map_lookup_elem(&sluice_choices, &index);
}

/* Selects a socket that takes new flows, by load or by hash, and returns its slot. */
static __always_inline bool choose(const struct datagram *of, bool by_load, __u32 *slot)
{
	const struct sluice_steer_choice *choice = choice_now();
	__u32 count_ = choice ? choice->count : 0, first, at, step;
	__u64 try;

	if (!count_ || count_ > SLUICE_STEER_SLOTS) {
		count(SLUICE_STEER_kernel_no_worker);
		return false;
	}
	first = scale(policy == SLUICE_STEER_SOURCE ? of->hash >> 32 : of->ctx->hash, count_);
	if (by_load && clock_ns() >= settled_ns)
		first = choice_better(of, choice, count_, first);
	/* spread the flows of a dead or full worker instead of giving its neighbour all of them */
	step = 1 + scale(of->hash, count_ - 1);
	for (at = first, try = 0; try < CHOICE_TRIES; try++) {
		const struct sluice_steer_slot *candidate;

		asm volatile("" : "+r"(try));
		*slot = choice_at(choice, at);
		candidate = bpf_map_lookup_elem(&sluice_slots, slot);
		if (queue_is_full(candidate, of->casts))
			count(SLUICE_STEER_passed_full);
		else if (slot_select(of, candidate, *slot))
			return true;
		else
			count(SLUICE_STEER_stale_slot);
		at += step;
		at = at < count_ ? at : at - count_;
		step = 1;
	}
	*slot = choice_at(choice, first);
	if (slot_select(of, bpf_map_lookup_elem(&sluice_slots, slot), *slot)) {
		count(SLUICE_STEER_all_full);
		return true;
	}
	count(SLUICE_STEER_kernel_refused);
	return false;
}

/* Records the owner of a new flow, or of one that moves from another slot. */
static __always_inline void flow_record(const struct datagram *of, struct sluice_steer_set *set,
					__u32 way, __u32 index, __u16 incarnation)
{
	__u64 owner = sluice_steer_owner(of->print, of->now, index, incarnation), before;

	if (way < SLUICE_STEER_WAYS) {
		before = *way_owner(set, way);
		if (sluice_steer_owner_checks(before, of->print))
			owner = sluice_steer_owner_moved(sluice_steer_owner_again(before, of->now),
							 index, incarnation);
		*way_owner(set, way) = owner;
		return;
	}
	way = set_place(set, of);
	if (way >= SLUICE_STEER_WAYS) {
		count(SLUICE_STEER_unrecorded);
		return;
	}
	before = *way_owner(set, way);
	if (*way_print(set, way) && !flow_is_expired(before, of->now))
		count(sluice_steer_owner_received(before) < 2 ? SLUICE_STEER_half_open_lost
							      : SLUICE_STEER_lapsed_lost);
	*way_owner(set, way) = owner;
	*way_print(set, way) = of->print;
}

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

static __always_inline bool cpu_select(const struct datagram *of, __u32 *slot)
{
	__u32 cpu = bpf_get_smp_processor_id();
	const struct sluice_steer_cpu *readers = bpf_map_lookup_elem(&sluice_cpus, &cpu);
	__u32 at;

	if (!readers || !readers->count)
		return false;
	at = scale(of->ctx->hash, readers->count);
	if (at >= SLUICE_STEER_CPU_SLOTS)
		return false;
	*slot = readers->slot[at];
	return slot_select(of, bpf_map_lookup_elem(&sluice_slots, slot), *slot);
}

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
