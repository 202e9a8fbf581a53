/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The difference of two states, as events. */
#ifndef SLUICE_CMD_MONITOR_DIFF_H
#define SLUICE_CMD_MONITOR_DIFF_H

#include "cmd/monitor/event.h"
#include "cmd/monitor/state.h"

/* Prepares the first state for a comparison. What it shows is no event, but what it lacks is. */
void monitor_diff_begin(struct monitor_state *first, monitor_event_fn fn, void *arg);

/*
 * Calls fn for each event that leads from @before to @after, which was read @late_ns after it was
 * due. Changes that the states do not show, but of which they have evidence, are a MONITOR_GAP: a
 * slot of a group was used in between, a section was applied and waits again, an object was loaded
 * and unloaded.
 *
 * What @after could not read, it takes over from @before, so that a later state is compared with
 * the last one that was read.
 */
void monitor_diff(struct monitor_state *before, struct monitor_state *after, __u64 late_ns,
		  monitor_event_fn fn, void *arg);
/* Returns false if the next state decides whether something has happened, such as an unload. */
bool monitor_diff_is_settled(const struct monitor_state *state);

#endif
