/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Compares two states and produces events. */
#ifndef SLUICE_CMD_MONITOR_DIFF_H
#define SLUICE_CMD_MONITOR_DIFF_H

#include "cmd/monitor/event.h"
#include "cmd/monitor/state.h"

/*
 * Prepares the first state for the comparison. Objects in the first state are not reported as
 * events; missing objects are.
 */
void monitor_diff_begin(struct monitor_state *first, monitor_event_fn fn, void *arg);

/*
 * Calls fn for each event between @before and @after. @after was read @late_ns later than
 * scheduled. If the states prove that changes happened in between but do not show them, the event
 * is MONITOR_GAP: a slot of a group was used, a section was applied and waits again, or an object
 * was loaded and unloaded.
 *
 * Copies unreadable parts of @after from @before, so that the next comparison uses the last values
 * that were read.
 */
void monitor_diff(struct monitor_state *before, struct monitor_state *after, __u64 late_ns,
		  monitor_event_fn fn, void *arg);
/* Returns false if an event, such as an unload, depends on the next state. */
bool monitor_diff_is_settled(const struct monitor_state *state);

#endif
