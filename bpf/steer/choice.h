/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/*
 * Chooses a worker for a new flow: by hash, by load, or by the CPU on which the datagram arrived.
 */
#ifndef SLUICE_BPF_STEER_CHOICE_H
#define SLUICE_BPF_STEER_CHOICE_H

#include "common/clock.h"
#include "steer/kernel_agrees.h"
#include "steer/load.h"
#include "steer/maps.h"
#include "steer/sock.h"

#define CHOICE_TRIES 4
#define CANDIDATES   4 /* slots that policy load compares */

/* Selects the socket of a slot. @slot is the map value at @index. */
static __always_inline bool slot_select(const struct datagram *of,
					const struct sluice_steer_slot *slot, __u32 index)
{
	return !is_connected(slot, of->casts) &&
	       (kernel_selects(of, slot) ||
		!bpf_sk_select_reuseport(of->ctx, &sluice_sockets, &index, 0));
}

static __always_inline __u32 scale(__u32 hash, __u32 count)
{
	return ((__u64)hash * count) >> 32;
}

/*
 * Hides @at from the compiler, which would drop the mask that the verifiers of 5.10 and 6.1 need.
 */
static __always_inline __u16 choice_at(const struct sluice_steer_choice *choice, __u64 at)
{
	asm volatile("" : "+r"(at));
	return choice->slot[at % SLUICE_STEER_SLOTS];
}

/* Returns the least loaded of four slots: @first, and three consecutive slots from another hash.
 * The result is nearly as good as the least loaded of all slots, and avoids herding.
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

/*
 * Selects a socket for a new flow, by load or by hash. Returns the socket's slot, or
 * SLUICE_STEER_SLOTS if no socket is selected.
 */
static __always_inline __u32 choose_slot(const struct datagram *of, bool by_load)
{
	const struct sluice_steer_choice *choice = choice_now();
	__u32 count_ = choice ? choice->count : 0, first, at, step, slot;
	__u64 try;

	if (!count_ || count_ > SLUICE_STEER_SLOTS) {
		count(SLUICE_STEER_kernel_no_worker);
		return SLUICE_STEER_SLOTS;
	}
	first = scale(policy == SLUICE_STEER_SOURCE ? of->hash >> 32 : of->ctx->hash, count_);
	if (policy == SLUICE_STEER_LOAD && by_load && clock_ns() >= settled_ns)
		first = choice_better(of, choice, count_, first);
	/* spread the flows of a dead or full worker; do not assign all of them to its neighbour */
	step = 1 + scale(of->hash, count_ - 1);
	for (at = first, try = 0; try < CHOICE_TRIES; try++) {
		const struct sluice_steer_slot *candidate;

		asm volatile("" : "+r"(try));
		slot = choice_at(choice, at);
		candidate = bpf_map_lookup_elem(&sluice_slots, &slot);
		if (queue_is_full(candidate, of->casts))
			count(SLUICE_STEER_passed_full);
		else if (slot_select(of, candidate, slot))
			return slot;
		else
			count(SLUICE_STEER_stale_slot);
		at += step;
		at = at < count_ ? at : at - count_;
		step = 1;
	}
	slot = choice_at(choice, first);
	if (slot_select(of, bpf_map_lookup_elem(&sluice_slots, &slot), slot)) {
		count(SLUICE_STEER_all_full);
		return slot;
	}
	count(SLUICE_STEER_kernel_refused);
	return SLUICE_STEER_SLOTS;
}

/*
 * Two global functions, since the verifier checks a global function once, not once for each path to
 * its calls. Kernel 5.10 accepts only the context and numbers as arguments.
 */
__noinline __u32 choose_by_casts(struct sk_reuseport_md *ctx, __u64 hash, __u64 chosen, __u32 now,
				 bool by_load)
{
	const struct datagram of = {
		.ctx = ctx,
		.hash = hash,
		.chosen = chosen,
		.now = now,
		.casts = true,
	};

	return choose_slot(&of, by_load);
}

__noinline __u32 choose_by_helpers(struct sk_reuseport_md *ctx, __u64 hash, __u32 now, bool by_load)
{
	const struct datagram of = { .ctx = ctx, .hash = hash, .now = now };

	return choose_slot(&of, by_load);
}

/* Selects a socket for a new flow, and stores its slot in @slot. */
static __always_inline bool choose(const struct datagram *of, bool by_load, __u32 *slot)
{
	*slot = of->casts ? choose_by_casts(of->ctx, of->hash, of->chosen, of->now, by_load)
			  : choose_by_helpers(of->ctx, of->hash, of->now, by_load);
	return *slot < SLUICE_STEER_SLOTS;
}

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

#endif
