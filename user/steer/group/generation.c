// SPDX-License-Identifier: GPL-2.0-or-later
#include "steer/group/generation.h"

/* Returns true if the slot can take new flows when its generation is current. */
static bool is_eligible(const struct sluice_steer_slot *slot)
{
	return slot->state == SLUICE_STEER_ACTIVE || slot->state == SLUICE_STEER_RETIRED;
}

/*
 * Returns the newest generation of all slots, or with @eligible of eligible slots; 0 if there is
 * none.
 */
static __u32 newest(const struct sluice_steer_slot *slots, size_t count, bool eligible)
{
	__u32 generation = 0;
	size_t i;

	for (i = 0; i < count; i++)
		if ((eligible ? is_eligible(&slots[i]) : slots[i].state != SLUICE_STEER_FREE) &&
		    slots[i].generation > generation)
			generation = slots[i].generation;
	return generation;
}

/*
 * Assigns new sockets to the newest generation of their instance, else to the current generation,
 * else to generation 1.
 */
static void assign_new(struct sluice_steer_slot *slots, size_t count)
{
	__u32 current = newest(slots, count, true);
	size_t i, j;

	if (!current)
		current = newest(slots, count, false) + 1;
	for (i = 0; i < count; i++) {
		__u32 own = 0;

		if (!is_eligible(&slots[i]) || slots[i].generation)
			continue;
		for (j = 0; j < count; j++)
			if (slots[j].state != SLUICE_STEER_FREE && slots[j].generation > own &&
			    slots[j].instance == slots[i].instance)
				own = slots[j].generation;
		slots[i].generation = own ? own : current;
	}
}

/* The latest instance of a generation, compared with its other instances. */
struct newcomer {
	__u64 instance;
	__u64 first_ns;	 /* when its first socket joined */
	__u64 newest_ns; /* when its last socket joined */
	__u64 before_ns; /* when the first socket of the previous instance joined */
	size_t own, others;
	bool one_other; /* all other sockets belong to one instance */
};

static __u64 first_arrival(const struct sluice_steer_slot *slots, size_t count, __u64 instance,
			   __u32 generation)
{
	__u64 first = ~0ULL;
	size_t i;

	for (i = 0; i < count; i++)
		if (is_eligible(&slots[i]) && slots[i].generation == generation &&
		    slots[i].instance == instance && slots[i].joined_ns < first)
			first = slots[i].joined_ns;
	return first;
}

static struct newcomer newcomer_find(const struct sluice_steer_slot *slots, size_t count,
				     __u32 generation)
{
	struct newcomer last = { .one_other = true };
	__u64 other = 0;
	size_t i;

	for (i = 0; i < count; i++) {
		__u64 first;

		if (!is_eligible(&slots[i]) || slots[i].generation != generation)
			continue;
		first = first_arrival(slots, count, slots[i].instance, generation);
		if (!last.first_ns ||
		    (first >= last.first_ns && slots[i].instance != last.instance)) {
			last.before_ns = last.first_ns;
			last.instance = slots[i].instance;
			last.first_ns = first;
		} else if (slots[i].instance != last.instance && first > last.before_ns) {
			last.before_ns = first;
		}
	}
	for (i = 0; i < count; i++) {
		if (!is_eligible(&slots[i]) || slots[i].generation != generation)
			continue;
		if (slots[i].instance == last.instance) {
			last.own++;
			if (slots[i].joined_ns > last.newest_ns)
				last.newest_ns = slots[i].joined_ns;
			continue;
		}
		if (last.others++ && slots[i].instance != other)
			last.one_other = false;
		other = slots[i].instance;
	}
	return last;
}

/* Returns true if the instance started GENERATION_SETTLE_NS after the others. */
static bool came_alone(const struct newcomer *newcomer)
{
	return newcomer->others && newcomer->before_ns + GENERATION_SETTLE_NS <= newcomer->first_ns;
}

/*
 * Returns true if this is the second of two instances, which takes over once it has enough sockets.
 */
static bool may_succeed(const struct newcomer *newcomer)
{
	return came_alone(newcomer) && newcomer->one_other;
}

static bool has_enough_sockets(const struct newcomer *newcomer, __u64 now_ns)
{
	if (newcomer->own >= newcomer->others)
		return true;
	return newcomer->one_other && 2 * newcomer->own >= newcomer->others &&
	       newcomer->newest_ns + GENERATION_SETTLE_NS <= now_ns;
}

static __u32 instances_count(const struct sluice_steer_slot *slots, size_t count, __u32 generation)
{
	__u32 instances = 0;
	size_t i, j;

	for (i = 0; i < count; i++) {
		if (!is_eligible(&slots[i]) || slots[i].generation != generation)
			continue;
		for (j = 0; j < i; j++)
			if (is_eligible(&slots[j]) && slots[j].generation == generation &&
			    slots[j].instance == slots[i].instance)
				break;
		instances += j == i;
	}
	return instances;
}

/* Forgets missing instances. Must be called before new sockets are assigned. */
static void past_forget(const struct sluice_steer_slot *slots, size_t count, __u64 now_ns,
			struct sluice_steer_past *past)
{
	if (past->fewer_ns && past->fewer_ns + GENERATION_FORGET_NS <= now_ns)
		*past = (struct sluice_steer_past){
			.instances = instances_count(slots, count, newest(slots, count, true)),
		};
}

static void past_update(struct sluice_steer_past *past, __u32 instances, __u64 now_ns)
{
	if (instances >= past->instances)
		*past = (struct sluice_steer_past){ .instances = instances };
	else if (!past->fewer_ns)
		past->fewer_ns = now_ns;
}

static void states_set(struct sluice_steer_slot *slots, size_t count, __u32 current)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (is_eligible(&slots[i]))
			slots[i].state = slots[i].generation == current ? SLUICE_STEER_ACTIVE
									: SLUICE_STEER_RETIRED;
}

bool generation_assign(struct sluice_steer_slot *slots, size_t count, __u64 now_ns,
		       struct sluice_steer_past *past)
{
	__u32 current, instances, next;
	struct newcomer last;
	bool taken, is_more;
	size_t i;

	past_forget(slots, count, now_ns, past);
	assign_new(slots, count);
	current = newest(slots, count, true);
	last = newcomer_find(slots, count, current);
	instances = instances_count(slots, count, current);
	is_more = instances > past->instances;
	taken = came_alone(&last) && is_more && last.own > 1 && has_enough_sockets(&last, now_ns);
	if (taken) {
		next = newest(slots, count, false) + 1;
		for (i = 0; i < count; i++)
			if (is_eligible(&slots[i]) && slots[i].generation == current &&
			    slots[i].instance == last.instance)
				slots[i].generation = next;
		current = next;
		*past = (struct sluice_steer_past){ .instances = 1 };
	} else {
		past_update(past, instances - (is_more && may_succeed(&last)), now_ns);
	}
	states_set(slots, count, current);
	return taken;
}

bool generation_promote(struct sluice_steer_slot *slots, size_t count, const bool *selected,
			struct sluice_steer_past *past)
{
	__u32 current = newest(slots, count, true), next = newest(slots, count, false) + 1;
	bool differs = false;
	size_t i;

	for (i = 0; i < count; i++)
		if (is_eligible(&slots[i]))
			differs |= selected[i] != (slots[i].generation == current);
	if (!differs)
		return false;
	for (i = 0; i < count; i++)
		if (selected[i] && is_eligible(&slots[i]))
			slots[i].generation = next;
	*past = (struct sluice_steer_past){ .instances = 1 };
	states_set(slots, count, next);
	return true;
}
