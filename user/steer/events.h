/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Formats the events of a sweep as text and as JSON. */
#ifndef SLUICE_STEER_EVENTS_H
#define SLUICE_STEER_EVENTS_H

#include "base/output.h"
#include "steer/steer.h"

/* Returns "group-attached", as in JSON and in the log. */
const char *steer_event_name(enum steer_event_type type);
#define STEER_GROUP_TEXT_MAX 128
/* Formats "0.0.0.0:53" or "[::]:53 on interface 2"; returns text. */
const char *steer_group_text(const struct sluice_steer_group *group,
			     char text[STEER_GROUP_TEXT_MAX]);
/* Formats one line without a newline; returns text. */
const char *steer_event_text(const struct steer_event *event, char *text, size_t size);
json_t *steer_event_json(const struct steer_event *event);
/* Logs a warning if a killed drain was undone; for commands whose sweep is a side effect. */
void steer_event_lapsed(const struct steer_event *event, void *arg);

#endif
