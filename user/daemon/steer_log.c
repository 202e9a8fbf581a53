// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/steer_log.h"

#include "base/clock.h"
#include "base/log.h"
#include "net/netns.h"
#include "steer/events.h"

#include <string.h>

/* FNV-1a */
static __u64 hash_text(const char *text, __u64 hash)
{
	for (hash ^= 0xcbf29ce484222325ULL; *text; text++)
		hash = (hash ^ (unsigned char)*text) * 0x100000001b3ULL;
	return hash;
}

/* Returns true if a failure has not been logged yet. Returns false if the table is full. */
static bool failure_is_new(struct steer_log *log, const struct steer_event *event)
{
	char text[512] = "left out";
	__u64 hash;
	int i;

	/* Ignore the text of this event: processes of the namespace can change it at will. */
	if (event->type != STEER_GROUPS_LEFT_OUT)
		steer_event_text(event, text, sizeof(text));
	hash = hash_text(text, event->group->netns);
	for (i = 0; i < log->failures; i++)
		if (log->failure[i].hash == hash) {
			log->failure[i].seen = true;
			return false;
		}
	if (i == STEER_LOG_FAILURES_MAX)
		return false;
	log->failure[i].hash = hash;
	log->failure[i].seen = true;
	log->failures++;
	return true;
}

void steer_log_event(const struct steer_event *event, void *arg)
{
	char message[64], address[STEER_GROUP_TEXT_MAX], name[NAME_MAX + 1];
	enum log_level level = LOG_LEVEL_INFO;
	struct steer_log *log = arg;
	struct log_line line;

	log->changes += steer_event_is_change(event);
	switch (event->type) {
	case STEER_GROUP_FOUND:
		return;
	case STEER_GROUP_KEPT:
		log->groups_found++;
		return;
	case STEER_GROUP_FOREIGN:
	case STEER_GROUP_FAILED:
	case STEER_GROUPS_LEFT_OUT:
	case STEER_SOCKET_FAILED:
		if (!failure_is_new(log, event))
			return;
		level = LOG_LEVEL_WARNING;
		break;
	case STEER_GROUP_ATTACHED:
	case STEER_GROUP_CHANGED:
		log->groups_found++;
		break;
	case STEER_DRAIN_LAPSED:
		level = LOG_LEVEL_WARNING;
		break;
	default:
		break;
	}
	snprintf(message, sizeof(message), "steer: %s", steer_event_name(event->type));
	log_begin(&line, level, message);
	log_field(&line, "address", "%s", steer_group_text(event->group, address));
	log_field(&line, "netns", "%u", event->group->netns);
	if (event->slot) {
		log_field(&line, "process", "%s", event->slot->comm);
		log_field(&line, "pid", "%u", event->slot->pid);
	}
	if (event->count)
		log_field(&line, event->type == STEER_GROUPS_LEFT_OUT ? "groups" : "sockets", "%d",
			  event->count);
	if (event->type == STEER_GROUP_FOREIGN)
		log_field(&line, "program_id", "%u", event->prog_id);
	if (event->why)
		log_field(&line, "reason", "%s", event->why);
	if (log->bound_ns &&
	    (event->type == STEER_GROUP_ATTACHED || event->type == STEER_SOCKET_JOINED))
		log_field(&line, "after_us", "%llu",
			  (clock_now_ns(CLOCK_MONOTONIC) - log->bound_ns) / 1000);
	if (netns_name(event->group->netns, name))
		log_field(&line, "netns_name", "%s", name);
	log_end(&line);
}

void steer_log_begin(struct steer_log *log, __u64 bound_ns)
{
	int i;

	log->bound_ns = bound_ns;
	log->groups_found = 0;
	log->changes = 0;
	for (i = 0; i < log->failures; i++)
		log->failure[i].seen = false;
}

void steer_log_end(struct steer_log *log, bool complete)
{
	int i, kept = 0;

	if (!complete)
		return;
	log->groups = log->groups_found;
	for (i = 0; i < log->failures; i++)
		if (log->failure[i].seen)
			log->failure[kept++] = log->failure[i];
	log->failures = kept;
}
