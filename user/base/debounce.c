// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/debounce.h"

/* The rest after a run, as a multiple of the run time. */
#define REST_FACTOR 9

void debounce_event(struct debounce *debounce, uint64_t now_us)
{
	if (!debounce->pending)
		debounce->first_us = now_us;
	debounce->pending = true;
	debounce->due_us = now_us + debounce->quiet_us;
	if (debounce->due_us > debounce->first_us + debounce->bound_us)
		debounce->due_us = debounce->first_us + debounce->bound_us;
	if (debounce->due_us < debounce->rest_us)
		debounce->due_us = debounce->rest_us;
}

void debounce_ran(struct debounce *debounce, uint64_t began_us, uint64_t ended_us)
{
	debounce->pending = false;
	debounce->rest_us = ended_us + REST_FACTOR * (ended_us - began_us);
}
