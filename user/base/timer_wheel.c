// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/timer_wheel.h"

#include <string.h>

#define SLOT_MASK (TIMER_WHEEL_SLOTS - 1U)
#define SPAN	  (1ULL << (TIMER_WHEEL_BITS * TIMER_WHEEL_LEVELS))

void timer_wheel_init(struct timer_wheel *wheel, uint64_t now_ns, uint64_t tick_ns)
{
	memset(wheel, 0, sizeof(*wheel));
	wheel->tick_ns = tick_ns;
	wheel->now = now_ns / tick_ns;
}

/* Links a timer to the slot of its due tick, which may be the current tick. */
static void place(struct timer_wheel *wheel, struct timer *timer)
{
	uint64_t due = timer->due, delta = due - wheel->now;
	unsigned int level = 0, index;
	struct timer **slot;

	if (delta >= SPAN) {
		delta = SPAN - 1;
		due = wheel->now + delta;
	}
	while (delta >> (TIMER_WHEEL_BITS * (level + 1)))
		level++;
	index = (unsigned int)(due >> (TIMER_WHEEL_BITS * level)) & SLOT_MASK;
	slot = &wheel->slot[level][index];
	timer->next = *slot;
	if (timer->next)
		timer->next->link = &timer->next;
	timer->link = slot;
	*slot = timer;
	wheel->busy[level] |= 1ULL << index;
}

void timer_wheel_remove(struct timer_wheel *wheel, struct timer *timer)
{
	struct timer **link = timer->link;
	size_t at = ((uintptr_t)link - (uintptr_t)wheel->slot) / sizeof(*link);

	if (!link)
		return;
	*link = timer->next;
	if (timer->next)
		timer->next->link = link;
	timer->link = NULL;
	wheel->count--;
	/*
	 * the timer was the last of its slot: @link points into the wheel, not into another timer
	 */
	if (!*link && at < (size_t)TIMER_WHEEL_LEVELS * TIMER_WHEEL_SLOTS)
		wheel->busy[at / TIMER_WHEEL_SLOTS] &= ~(1ULL << at % TIMER_WHEEL_SLOTS);
}

void timer_wheel_set(struct timer_wheel *wheel, struct timer *timer, uint64_t due_ns)
{
	uint64_t due = due_ns / wheel->tick_ns;

	timer_wheel_remove(wheel, timer);
	timer->due = due > wheel->now ? due : wheel->now + 1;
	place(wheel, timer);
	wheel->count++;
}

/* Returns the first tick after `now` at which the wheel reaches a busy slot of this level. */
static uint64_t next_of_level(const struct timer_wheel *wheel, unsigned int level)
{
	unsigned int shift = TIMER_WHEEL_BITS * level;
	uint64_t at = (wheel->now >> shift) + 1, busy = wheel->busy[level];
	unsigned int from = (unsigned int)at & SLOT_MASK;

	if (from)
		busy = busy >> from | busy << (TIMER_WHEEL_SLOTS - from);
	return (at + (unsigned int)__builtin_ctzll(busy)) << shift;
}

/* Returns the next tick with work, or UINT64_MAX. */
static uint64_t next_tick(const struct timer_wheel *wheel)
{
	uint64_t at, earliest = UINT64_MAX;
	unsigned int level;

	for (level = 0; level < TIMER_WHEEL_LEVELS; level++) {
		if (!wheel->busy[level])
			continue;
		at = next_of_level(wheel, level);
		if (at < earliest)
			earliest = at;
	}
	return earliest;
}

bool timer_wheel_next(const struct timer_wheel *wheel, uint64_t *at_ns)
{
	if (!wheel->count)
		return false;
	*at_ns = next_tick(wheel) * wheel->tick_ns;
	return true;
}

/* Detaches the timers of a slot; their links stay valid. */
static void take(struct timer_wheel *wheel, unsigned int level, struct timer **list)
{
	unsigned int index = (unsigned int)(wheel->now >> (TIMER_WHEEL_BITS * level)) & SLOT_MASK;

	*list = wheel->slot[level][index];
	if (*list)
		(*list)->link = list;
	wheel->slot[level][index] = NULL;
	wheel->busy[level] &= ~(1ULL << index);
}

/* Moves the timers of the slots that begin at this tick to lower levels. */
static void cascade(struct timer_wheel *wheel)
{
	unsigned int level = 1;
	struct timer *list, *next;

	while (level < TIMER_WHEEL_LEVELS &&
	       !(wheel->now & ((1ULL << (TIMER_WHEEL_BITS * level)) - 1)))
		level++;
	while (--level) {
		take(wheel, level, &list);
		for (; list; list = next) {
			next = list->next;
			place(wheel, list);
		}
	}
}

size_t timer_wheel_expire(struct timer_wheel *wheel, uint64_t now_ns, timer_fn fn, void *arg)
{
	uint64_t target = now_ns / wheel->tick_ns, next;
	struct timer *list, *timer;
	size_t expired = 0;

	while (wheel->now < target) {
		next = next_tick(wheel);
		wheel->now = next < target ? next : target;
		if (next > target)
			break;
		cascade(wheel);
		take(wheel, 0, &list);
		/* fn may remove any timer of the list, so always continue at the head */
		while ((timer = list)) {
			timer_wheel_remove(wheel, timer);
			fn(timer, arg);
			expired++;
		}
	}
	return expired;
}
