// SPDX-License-Identifier: GPL-2.0-or-later
#include "steer/group/generation.h"

/* Does the slot take new flows when its generation is the current one? */
static bool is_eligible(const struct sluice_steer_slot *slot)
{
	return slot->state == SLUICE_STEER_ACTIVE || slot->state == SLUICE_STEER_RETIRED;
}

/* Returns the newest generation of all slots, or of those that may take new flows; 0 if none. */
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

/* Assigns new sockets to their instance's generation, else to the current or to the first one. */
static void assign_new(struct sluice_steer_slot *slots, size_t count)
{
	__u32 current = newest(slots, count, true);
	size_t i, j;

	if (!current)
		current = newest(slots, count, false) + 1;
	for (i = 0; i < count; i++) {
		if (!is_eligible(&slots[i]) || slots[i].generation)
			continue;
		for (j = 0; j < count; j++)
			if (slots[j].state != SLUICE_STEER_FREE && slots[j].generation &&
			    slots[j].instance == slots[i].instance)
				break;
		slots[i].generation = j < count ? slots[j].generation : current;
	}
}

/* The latest instance of a generation, and the other instances of that generation. */
struct newcomer {
	__u64 instance;
	__u64 first_ns;	 /* when its first socket joined */
	__u64 newest_ns; /* when its last socket joined */
	__u64 before_ns; /* when the first socket of the instance before it joined */
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

/* Did the instance start apart from the others? */
static bool came_alone(const struct newcomer *newcomer)
{
	return newcomer->others && newcomer->before_ns + GENERATION_SETTLE_NS <= newcomer->first_ns;
}

/* Is it the second of two servers with several sockets each, rather than one more worker? */
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

bool generation_assign(struct sluice_steer_slot *slots, size_t count, __u64 now_ns, __u32 *peak)
{
	struct newcomer last;
	__u32 current, active = 0;
	bool taken;
	size_t i;

	assign_new(slots, count);
	current = newest(slots, count, true);
	last = newcomer_find(slots, count, current);
	taken = takes_over(&last, *peak, now_ns);
	if (taken) {
		__u32 next = newest(slots, count, false) + 1;

		for (i = 0; i < count; i++)
			if (is_eligible(&slots[i]) && slots[i].generation == current &&
			    slots[i].instance == last.instance)
				slots[i].generation = next;
		current = next;
	}
	for (i = 0; i < count; i++) {
		if (!is_eligible(&slots[i]))
			continue;
		slots[i].state = slots[i].generation == current ? SLUICE_STEER_ACTIVE
								: SLUICE_STEER_RETIRED;
		active += slots[i].generation == current;
	}
	/* sockets of an instance that may take over later must not raise its own threshold */
	if (!taken && is_second_server(&last))
		active -= (__u32)last.own;
	*peak = taken || active > *peak ? active : *peak;
	return taken;
}
