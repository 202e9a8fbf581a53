/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Formats the events of a sweep as text or as JSON. */
#ifndef SLUICE_STEER_EVENTS_H
#define SLUICE_STEER_EVENTS_H

#include "cli/output.h"
#include "steer/steer.h"

/* Returns the name of an event in JSON and in the log, such as "group-attached". */
const char *steer_event_name(enum steer_event_type type);
#define STEER_GROUP_TEXT_MAX 128
/* Formats a group as "0.0.0.0:53" or "[::]:53 on interface 2". Returns @text. */
const char *steer_group_text(const struct sluice_steer_group *group,
			     char text[STEER_GROUP_TEXT_MAX]);
/* Formats an event as one line without a newline. Returns @text. */
const char *steer_event_text(const struct steer_event *event, char *text, size_t size);
json_t *steer_event_json(const struct steer_event *event);
/*
 * Logs a warning for each killed drain that a sweep has undone. Used by commands that sweep as a
 * side effect.
 */
void steer_event_lapsed(const struct steer_event *event, void *arg);

#endif
