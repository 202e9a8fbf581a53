/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Coalesces bursts of events. The caller runs its handler after `quiet_us` without an event, but at
 * most `bound_us` after the first event. The handler uses at most a tenth of the time: a rest of
 * nine times its run time follows each run.
 *
 * The caller provides the clock and the timer.
 */
#ifndef SLUICE_BASE_DEBOUNCE_H
#define SLUICE_BASE_DEBOUNCE_H

#include <stdbool.h>
#include <stdint.h>

struct debounce {
	uint64_t quiet_us; /* time without an event before the handler runs */
	uint64_t bound_us; /* longest delay after the first event */
	uint64_t first_us; /* time of the first pending event */
	uint64_t due_us;   /* time of the next run */
	uint64_t rest_us;  /* end of the rest after the last run */
	bool pending;
};

/* Records an event and updates due_us. */
void debounce_event(struct debounce *debounce, uint64_t now_us);
/* Records a run of the handler and starts its rest. */
void debounce_ran(struct debounce *debounce, uint64_t began_us, uint64_t ended_us);

#endif
