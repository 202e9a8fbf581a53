/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Compares the groups and workers of two states; part of cmd/monitor/diff.c. */
#ifndef SLUICE_CMD_MONITOR_DIFF_GROUPS_H
#define SLUICE_CMD_MONITOR_DIFF_GROUPS_H

#include "cmd/monitor/event.h"
#include "cmd/monitor/state.h"

struct diff {
	struct monitor_state *before, *after;
	monitor_event_fn fn;
	void *arg;
};

void diff_emit(const struct diff *diff, const struct monitor_event *event);
void diff_groups(const struct diff *diff);
/* Moves the groups from @before, since those of @after could not be read. */
void diff_groups_keep(const struct diff *diff);

#endif
