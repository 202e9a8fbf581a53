/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Coalesces bursts of events: the caller runs its handler after `quiet_us` without an event, at
 * most `bound_us` after the first one, and for at most a tenth of the time.
 *
 * The caller provides the clock and the timer.
 */
#ifndef SLUICE_BASE_DEBOUNCE_H
#define SLUICE_BASE_DEBOUNCE_H

#include <stdbool.h>
#include <stdint.h>

struct debounce {
	uint64_t quiet_us; /* time without an event before the handler runs */
	uint64_t bound_us; /* the longest delay after the first event */
	uint64_t first_us; /* the first pending event */
	uint64_t due_us;   /* when to run the handler */
	uint64_t rest_us;  /* the earliest time of the next run */
	bool pending;
};

/* Registers an event and updates due_us. */
void debounce_event(struct debounce *debounce, uint64_t now_us);
/* Registers a run of the handler. */
void debounce_ran(struct debounce *debounce, uint64_t began_us, uint64_t ended_us);

#endif
