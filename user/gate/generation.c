// SPDX-License-Identifier: GPL-2.0-or-later
#include "generation.h"

/* May the slot take new flows, if its generation is the one in force? */
static bool is_eligible(const struct sluice_steer_slot *slot)
{
	return slot->state == SLUICE_STEER_ACTIVE || slot->state == SLUICE_STEER_RETIRED;
}

/* The newest generation that has a socket to take new flows; 0 if there is none. */
static __u32 in_force(const struct sluice_steer_slot *slots, size_t count)
{
	__u32 newest = 0;
	size_t i;

	for (i = 0; i < count; i++)
		if (is_eligible(&slots[i]) && slots[i].generation > newest)
			newest = slots[i].generation;
	return newest;
}

static __u32 newest_ever(const struct sluice_steer_slot *slots, size_t count)
{
	__u32 newest = 0;
	size_t i;

	for (i = 0; i < count; i++)
		if (slots[i].state != SLUICE_STEER_FREE && slots[i].generation > newest)
			newest = slots[i].generation;
	return newest;
}

/* A generation that sockets of this instance have already; 0 if there is none. */
static __u32 of_instance(const struct sluice_steer_slot *slots, size_t count, __u64 instance)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (slots[i].state != SLUICE_STEER_FREE && slots[i].generation &&
		    slots[i].instance == instance)
			return slots[i].generation;
	return 0;
}

/* Newcomers join their instance's generation, else the one in force, or they begin the first. */
static void place_newcomers(struct sluice_steer_slot *slots, size_t count)
{
	__u32 current = in_force(slots, count);
	size_t i;

	if (!current)
		current = newest_ever(slots, count) + 1;
	for (i = 0; i < count; i++) {
		__u32 own;

		if (!is_eligible(&slots[i]) || slots[i].generation)
			continue;
		own = of_instance(slots, count, slots[i].instance);
		slots[i].generation = own ? own : current;
	}
}

struct arrival {
	__u64 instance;
	__u64 first_ns;
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

/* The instance of the generation that came last. */
static struct arrival last_arrival(const struct sluice_steer_slot *slots, size_t count,
				   __u32 generation)
{
	struct arrival last = { 0 };
	size_t i;

	for (i = 0; i < count; i++) {
		__u64 first;

		if (!is_eligible(&slots[i]) || slots[i].generation != generation)
			continue;
		first = first_arrival(slots, count, slots[i].instance, generation);
		if (first >= last.first_ns)
			last = (struct arrival){ slots[i].instance, first };
	}
	return last;
}

/* Has the instance come after all others of its generation, and with as many sockets? */
static bool takes_over(const struct sluice_steer_slot *slots, size_t count, __u32 generation,
		       const struct arrival *last, __u32 peak)
{
	size_t own = 0, others = 0, i;

	for (i = 0; i < count; i++) {
		if (!is_eligible(&slots[i]) || slots[i].generation != generation)
			continue;
		if (slots[i].instance == last->instance) {
			own++;
			continue;
		}
		others++;
		if (slots[i].joined_ns + GENERATION_SETTLE_NS > last->first_ns)
			return false;
	}
	return others && own >= others && own + others > peak;
}

static void move_instance(struct sluice_steer_slot *slots, size_t count, __u64 instance, __u32 from,
			  __u32 to)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (is_eligible(&slots[i]) && slots[i].generation == from &&
		    slots[i].instance == instance)
			slots[i].generation = to;
}

bool generation_assign(struct sluice_steer_slot *slots, size_t count, __u32 *peak)
{
	struct arrival last;
	__u32 current, active = 0;
	bool taken;
	size_t i;

	place_newcomers(slots, count);
	current = in_force(slots, count);
	last = last_arrival(slots, count, current);
	taken = takes_over(slots, count, current, &last, *peak);
	if (taken) {
		__u32 next = newest_ever(slots, count) + 1;

		move_instance(slots, count, last.instance, current, next);
		current = next;
	}
	for (i = 0; i < count; i++) {
		if (!is_eligible(&slots[i]))
			continue;
		slots[i].state = slots[i].generation == current ? SLUICE_STEER_ACTIVE
								: SLUICE_STEER_RETIRED;
		active += slots[i].generation == current;
	}
	*peak = taken || active > *peak ? active : *peak;
	return taken;
}
