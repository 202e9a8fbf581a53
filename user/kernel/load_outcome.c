// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/load_outcome.h"

const char *load_outcome_name(enum load_outcome outcome, bool as_before)
{
	static const char *const names[] = {
		[LOAD_VERIFIED] = "verified", [LOAD_FRESH] = "loaded",
		[LOAD_UPDATED] = "updated",   [LOAD_RECOVERED] = "recovered",
		[LOAD_REPLACED] = "replaced", [LOAD_LEFT] = "left",
	};

	return outcome == LOAD_UPDATED && as_before ? "unchanged" : names[outcome];
}
