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

#include "common/flow_set.h"
#include "steer/load.h"
#include "steer/maps.h"
#include "steer/sock.h"

#include <bpf/bpf_helpers.h>
#include <linux/udp.h>
#include <sluice/steer.h>

#define CHOICE_TRIES 4
#define CANDIDATES   4 /* policy load */

#define PEER  0
#define LOCAL 1

struct steer_key {
	struct sluice_addr addr[2]; /* PEER, LOCAL */
	__be16 peer_port_be;
};

/* The context's data starts at the UDP header. */
static __always_inline bool key_read(const struct datagram *of, struct steer_key *key)
{
	const struct udphdr *udp = of->ctx->data;

	if ((const void *)(udp + 1) > of->ctx->data_end || !addrs_read(of, key->addr))
		return false;
	key->peer_port_be = udp->source;
	if (policy == SLUICE_STEER_SOURCE) {
		key->peer_port_be = 0;
		key->addr[LOCAL].half[0] = 0;
		key->addr[LOCAL].half[1] = 0;
	}
	return true;
}

/*
 * Reuses the kernel's hash of the tuple, keyed by a per-boot secret. That is enough to spread flows
 * over the sets; the full tuple identifies the flow.
 */
static __always_inline __u64 key_hash(struct sk_reuseport_md *ctx, const struct steer_key *key)
{
	if (policy == SLUICE_STEER_SOURCE)
		return sluice_flow_mix(sluice_flow_mix(seed, key->addr[PEER].half[0]),
				       key->addr[PEER].half[1]);
	return sluice_flow_mix(seed, ctx->hash);
}

static __always_inline __u64 addr_differs(const struct sluice_addr *a, const struct sluice_addr *b)
{
	return (a->half[0] ^ b->half[0]) | (a->half[1] ^ b->half[1]);
}

/* A single branch: once the tag matches, the rest nearly always matches too. */
static __always_inline bool flow_is(const void *slot, const void *key)
{
	const struct sluice_steer_flow *flow = slot;
	const struct steer_key *wanted = key;

	return !(addr_differs(&flow->peer, &wanted->addr[PEER]) |
		 addr_differs(&flow->local, &wanted->addr[LOCAL]) |
		 (flow->owner.peer_port_be ^ wanted->peer_port_be));
}

/*
 * Returns the way of the flow, or SLUICE_STEER_WAYS. The verifier would explore the following code
 * once for each way that it knows; adding a 0 that is opaque to it merges these paths.
 */
static __always_inline __u32 flow_find(const struct sluice_steer_set *set,
				       const struct steer_key *key, __u64 hash)
{
	__u32 way = set_find(set->tag, sluice_flow_tag(hash), set->flow, sizeof(*set->flow),
			     flow_is, key);

	return (way + set->zero) % (2 * SLUICE_STEER_WAYS);
}

/* --- slots */

/* @slot is the map value at @index. */
static __always_inline bool slot_select(const struct datagram *of,
					const struct sluice_steer_slot *slot, __u32 index)
{
	return !is_connected(slot, of->casts) &&
	       !bpf_sk_select_reuseport(of->ctx, &sluice_sockets, &index, 0);
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

/* Returns 1 or 0 without a branch: each branch would double the paths of the verifier. */
static __always_inline __u64 is_less(__u64 a, __u64 b)
{
	return (a - b) >> 63;
}

/* Returns the first free way or SLUICE_STEER_WAYS, unknown to the verifier as above. */
static __always_inline __u32 set_free(const struct sluice_steer_set *set)
{
	__u32 way;

#pragma unroll
	for (way = 0; way < SLUICE_STEER_WAYS; way++)
		if (!set->tag[way])
			break;
	return (way + set->zero) % (2 * SLUICE_STEER_WAYS);
}

/* Returns an expired way of a full set, else the way of the oldest one-datagram flow. */
static __always_inline __u32 set_victim(const struct sluice_steer_set *set, __u32 now)
{
	__u64 most = SLUICE_STEER_WAYS;
	__u32 way;

#pragma unroll
	for (way = 0; way < SLUICE_STEER_WAYS; way++) {
		__u64 idle = sluice_flow_idle(now, set->seen[way]);
		__u64 expired = is_less(idle_limit, idle);
		__u64 open = (set->established >> way & 1) ^ 1, worth;

		worth = (expired << 32) + (idle + 1) * (expired | open);
		/* the lowest bits carry the way */
		worth = worth << 4 | way;
		most += (worth - most) * is_less(most | 15, worth);
	}
	return most & 15;
}

/* Returns a way for a new flow, or SLUICE_STEER_WAYS if all are live. A writer holds the lock. */
static __always_inline __u32 set_place(const struct sluice_steer_set *set, __u32 now)
{
	__u32 way = set_free(set);

	return way < SLUICE_STEER_WAYS ? way : set_victim(set, now);
}

/* The outcome found under the lock, counted after the unlock. */
struct recorded {
	bool unrecorded;
	bool half_open_lost;
};

static __always_inline struct recorded flow_record(const struct datagram *of,
						   struct sluice_steer_set *set,
						   const struct steer_key *key, __u32 index,
						   __u16 incarnation)
{
	union sluice_steer_owner owner = { .peer_port_be = key->peer_port_be,
					   .slot = index,
					   .incarnation = incarnation,
					   .check = sluice_steer_check(of->hash) };
	struct recorded recorded = {};
	struct sluice_steer_flow *flow;
	__u32 way;

	bpf_spin_lock(&set->lock);
	way = flow_find(set, key, of->hash);
	if (way >= SLUICE_STEER_WAYS) {
		way = set_place(set, of->now);
		if (way >= SLUICE_STEER_WAYS) {
			recorded.unrecorded = true;
			goto unlock;
		}
		recorded.half_open_lost = set->tag[way] && !(set->established & 1U << way) &&
					  sluice_flow_idle(of->now, set->seen[way]) <= idle_limit;
		set->established &= ~(1U << way);
	}
	flow = &set->flow[way % SLUICE_STEER_WAYS];
	flow->peer = key->addr[PEER];
	flow->local = key->addr[LOCAL];
	*(volatile __u64 *)&flow->owner.word = owner.word;
	set->seen[way % SLUICE_STEER_WAYS] = of->now;
	set->tag[way % SLUICE_STEER_WAYS] = sluice_flow_tag(of->hash);
unlock:
	bpf_spin_unlock(&set->lock);
	return recorded;
}

/*
 * A flow without room in the table needs the same choice for each of its datagrams: by hash, not by
 * load.
 */
static __always_inline bool goes_by_load(const struct sluice_steer_set *set, __u32 now,
					 enum sluice_steer_counter why)
{
	if (policy != SLUICE_STEER_LOAD)
		return false;
	return why != SLUICE_STEER_started || set_place(set, now) < SLUICE_STEER_WAYS;
}

/* @why is SLUICE_STEER_started, or the reason for the move. */
static __always_inline int flow_begin(const struct datagram *of, struct sluice_steer_set *set,
				      const struct steer_key *key, enum sluice_steer_counter why)
{
	const struct sluice_steer_slot *slot;
	struct recorded recorded;
	__u32 index;

	if (!choose(of, goes_by_load(set, of->now, why), &index))
		return SK_PASS;
	slot = bpf_map_lookup_elem(&sluice_slots, &index);
	if (!slot)
		return SK_PASS;
	recorded = flow_record(of, set, key, index, slot->incarnation);
	if (recorded.unrecorded)
		count(SLUICE_STEER_unrecorded);
	if (recorded.half_open_lost)
		count(SLUICE_STEER_half_open_lost);
	count(why);
	slot_account(of, index, true, why != SLUICE_STEER_started);
	return SK_PASS;
}

/* --- recorded flows */

static __always_inline void flow_establish(struct sluice_steer_set *set, __u32 way, __u64 word)
{
	bpf_spin_lock(&set->lock);
	if (set->flow[way % SLUICE_STEER_WAYS].owner.word == word)
		set->established |= 1U << way;
	bpf_spin_unlock(&set->lock);
}

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
	union sluice_steer_owner owner = {
		.word = *(volatile __u64 *)&set->flow[way % SLUICE_STEER_WAYS].owner.word,
	};
	const struct sluice_steer_slot *slot;
	__u32 index = owner.slot;
	__u32 *seen = &set->seen[way % SLUICE_STEER_WAYS];

	if (owner.check != sluice_steer_check(of->hash))
		return SLUICE_STEER_started;
	slot = bpf_map_lookup_elem(&sluice_slots, &index);
	if (!slot || !owner.incarnation || slot->incarnation != owner.incarnation)
		return slot && is_drained(slot) ? SLUICE_STEER_moved_drained
						: SLUICE_STEER_moved_gone;
	if (slot->state != SLUICE_STEER_ACTIVE && sluice_flow_idle(of->now, *seen) > idle_limit)
		return SLUICE_STEER_moved_idle;
	if (!slot_select(of, slot, index))
		return SLUICE_STEER_moved_gone;
	if (*seen != of->now)
		*seen = of->now;
	if (!(set->established & 1U << way))
		flow_establish(set, way, owner.word);
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
	struct datagram of = { .ctx = ctx, .casts = casts };
	struct sluice_steer_set *set;
	struct steer_key key = {};
	__u32 index, way;

	if (policy == SLUICE_STEER_CPU)
		return steer_by_cpu(&of);
	if (!key_read(&of, &key)) {
		count(SLUICE_STEER_kernel_header);
		return SK_PASS;
	}
	of.hash = key_hash(ctx, &key);
	index = sluice_flow_set_index(of.hash, sets);
	set = bpf_map_lookup_elem(&sluice_table, &index);
	if (!set)
		return SK_PASS;
	of.now = clock();
	way = flow_find(set, &key, of.hash);
	if (way < SLUICE_STEER_WAYS)
		why = flow_follow(&of, set, way);
	if (why == SLUICE_STEER_known) {
		count(SLUICE_STEER_known);
		return SK_PASS;
	}
	return flow_begin(&of, set, &key, why);
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
