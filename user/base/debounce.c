// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/debounce.h"

#define REST_FACTOR 9

void settle_news(struct settle *settle, uint64_t now_us)
{
	if (!settle->pending)
		settle->first_us = now_us;
	settle->pending = true;
	settle->due_us = now_us + settle->quiet_us;
	if (settle->due_us > settle->first_us + settle->bound_us)
		settle->due_us = settle->first_us + settle->bound_us;
	if (settle->due_us < settle->rest_us)
		settle->due_us = settle->rest_us;
}

void settle_looked(struct settle *settle, uint64_t began_us, uint64_t ended_us)
{
	settle->pending = false;
	settle->rest_us = ended_us + REST_FACTOR * (ended_us - began_us);
}
