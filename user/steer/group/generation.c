// SPDX-License-Identifier: GPL-2.0-or-later
#include "steer/group/generation.h"

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

/* The instance of a generation that came last, and the others of that generation. */
struct newcomer {
	__u64 instance;
	__u64 first_ns;	 /* when the first of its sockets joined */
	__u64 newest_ns; /* and the last */
	__u64 before_ns; /* when the first socket of the last of the others joined */
	size_t own, others;
	bool one_other; /* the others are all of one instance */
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

static void newcomer_count(const struct sluice_steer_slot *slots, size_t count, __u32 generation,
			   struct newcomer *newcomer)
{
	__u64 other = 0;
	size_t i;

	newcomer->one_other = true;
	for (i = 0; i < count; i++) {
		if (!is_eligible(&slots[i]) || slots[i].generation != generation)
			continue;
		if (slots[i].instance == newcomer->instance) {
			newcomer->own++;
			if (slots[i].joined_ns > newcomer->newest_ns)
				newcomer->newest_ns = slots[i].joined_ns;
			continue;
		}
		if (newcomer->others++ && slots[i].instance != other)
			newcomer->one_other = false;
		other = slots[i].instance;
	}
}

static struct newcomer newcomer_find(const struct sluice_steer_slot *slots, size_t count,
				     __u32 generation)
{
	struct newcomer last = { 0 };
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
	newcomer_count(slots, count, generation, &last);
	return last;
}

/* Was it started by itself? */
static bool came_alone(const struct newcomer *newcomer)
{
	return newcomer->others && newcomer->before_ns + GENERATION_SETTLE_NS <= newcomer->first_ns;
}

/* Is it one of two servers of several sockets, rather than one of several workers? */
static bool is_second_server(const struct newcomer *newcomer)
{
	return came_alone(newcomer) && newcomer->one_other && newcomer->others > 1;
}

static bool takes_over(const struct newcomer *newcomer, __u32 peak, __u64 now_ns)
{
	if (!came_alone(newcomer) || newcomer->own + newcomer->others <= peak)
		return false;
	if (newcomer->own >= newcomer->others)
		return true;
	return is_second_server(newcomer) && newcomer->own > 1 &&
	       2 * newcomer->own >= newcomer->others &&
	       newcomer->newest_ns + GENERATION_SETTLE_NS <= now_ns;
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

bool generation_assign(struct sluice_steer_slot *slots, size_t count, __u64 now_ns, __u32 *peak)
{
	struct newcomer last;
	__u32 current, active = 0;
	bool taken;
	size_t i;

	place_newcomers(slots, count);
	current = in_force(slots, count);
	last = newcomer_find(slots, count, current);
	taken = takes_over(&last, *peak, now_ns);
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
	/* one that may yet take over must not be what keeps it from that */
	if (!taken && is_second_server(&last))
		active -= (__u32)last.own;
	*peak = taken || active > *peak ? active : *peak;
	return taken;
}
