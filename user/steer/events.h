/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The news of the steering plane, as text and as JSON. */
#ifndef SLUICE_STEER_EVENTS_H
#define SLUICE_STEER_EVENTS_H

#include "base/output.h"
#include "steer/steer.h"

/* "group-attached", the key and the log's word for an event. */
const char *steer_event_name(enum steer_event_type event);
/* "0.0.0.0:53", "[::]:53 on eth0"; returns text. */
#define STEER_GROUP_TEXT_MAX 128
const char *steer_group_text(const struct sluice_steer_group *group,
			     char text[STEER_GROUP_TEXT_MAX]);
/* One line, without its end; returns text. */
const char *steer_event_text(const struct steer_event *news, char *text, size_t size);
json_t *steer_event_json(const struct steer_event *news);
/* For who sweeps by the way: warns of what a drain had left that was killed, of nothing else. */
void steer_event_lapsed(const struct steer_event *news, void *arg);

#endif
