/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When to look at what keeps changing.  News come in swarms, and a look takes long: it is put off
 * until it has been quiet for a moment, but never for longer than a bound, nor so that looking
 * takes more than a tenth of the time.
 *
 * Nothing but arithmetic: the caller has the clock and the timer.
 */
#ifndef SLUICE_BASE_DEBOUNCE_H
#define SLUICE_BASE_DEBOUNCE_H

#include <stdbool.h>
#include <stdint.h>

struct debounce {
	uint64_t quiet_us; /* without news */
	uint64_t bound_us; /* after the first of them, however many follow */
	uint64_t first_us; /* of those that have not been looked at */
	uint64_t due_us;
	uint64_t rest_us; /* not to be looked at before */
	bool pending;
};

/* There are news; due_us is when to look. */
void debounce_event(struct debounce *debounce, uint64_t now_us);
/* All has been looked at, and that took so long. */
void debounce_ran(struct debounce *debounce, uint64_t began_us, uint64_t ended_us);

#endif
