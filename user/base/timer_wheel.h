/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A hierarchical timer wheel (Varghese and Lauck, 1987) for millions of timers, most of which are
 * deferred before they expire. Add, defer, remove and expire take constant time, and a timer takes
 * 24 bytes in the struct of its owner. libevent's heap was rejected: each change takes logarithmic
 * time, and each timer 200 bytes.
 *
 * Due times are rounded down to ticks: a timer expires up to one tick early, never late, and all
 * timers of a tick share one wake-up. The caller provides the clock.
 */
#ifndef SLUICE_BASE_TIMER_WHEEL_H
#define SLUICE_BASE_TIMER_WHEEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TIMER_WHEEL_BITS   6
#define TIMER_WHEEL_SLOTS  (1 << TIMER_WHEEL_BITS)
#define TIMER_WHEEL_LEVELS 5 /* 2^30 ticks; a later timer is placed again after this span */

/* A zeroed timer is stopped. */
struct timer {
	struct timer *next;
	struct timer **link; /* points to this timer; NULL: stopped */
	uint64_t due;	     /* a tick */
};

struct timer_wheel {
	uint64_t tick_ns;
	uint64_t now;			   /* current tick; timers up to this tick have expired */
	size_t count;			   /* running timers */
	uint64_t busy[TIMER_WHEEL_LEVELS]; /* bit i: slot i has a timer */
	struct timer *slot[TIMER_WHEEL_LEVELS][TIMER_WHEEL_SLOTS];
};

typedef void (*timer_fn)(struct timer *timer, void *arg);

void timer_wheel_init(struct timer_wheel *wheel, uint64_t now_ns, uint64_t tick_ns);
/* Starts or restarts a timer. A timer whose due time has passed expires at the next tick. */
void timer_wheel_set(struct timer_wheel *wheel, struct timer *timer, uint64_t due_ns);
/* Stops a timer if it is running. */
void timer_wheel_remove(struct timer_wheel *wheel, struct timer *timer);
static inline bool timer_runs(const struct timer *timer)
{
	return timer->link;
}
/*
 * Sets *at_ns to the next time to call timer_wheel_expire(). No timer is due earlier; if none is
 * due at that time, the call only moves timers to a lower level. Returns false if no timer runs.
 */
bool timer_wheel_next(const struct timer_wheel *wheel, uint64_t *at_ns);
/*
 * Stops all due timers and calls @fn for each; @fn may set and remove any timer. Returns the number
 * of expired timers. Ignores a clock that runs backwards.
 */
size_t timer_wheel_expire(struct timer_wheel *wheel, uint64_t now_ns, timer_fn fn, void *arg);

#endif
