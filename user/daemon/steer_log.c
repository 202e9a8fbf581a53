// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/steer_log.h"

#include "base/clock.h"
#include "base/log.h"
#include "steer/events.h"

#include <stdlib.h>
#include <string.h>

#define TROUBLES_MAX 256

struct trouble {
	__u64 hash; /* of what is said of it */
	bool seen;  /* by this sweep */
};

struct steer_log {
	struct trouble trouble[TROUBLES_MAX];
	int troubles;
	unsigned int groups, groups_before;
	__u64 bound_ns;
};

struct steer_log *steer_log_new(void)
{
	return calloc(1, sizeof(struct steer_log));
}

void steer_log_free(struct steer_log *log)
{
	free(log);
}

unsigned int steer_log_groups(const struct steer_log *log)
{
	return log->groups_before;
}

/* --- troubles */

/* FNV-1a */
static __u64 hash_text(const char *text, __u64 hash)
{
	for (hash ^= 0xcbf29ce484222325ULL; *text; text++)
		hash = (hash ^ (unsigned char)*text) * 0x100000001b3ULL;
	return hash;
}

static struct trouble *trouble_find(struct steer_log *log, __u64 hash)
{
	int i;

	for (i = 0; i < log->troubles; i++)
		if (log->trouble[i].hash == hash)
			return &log->trouble[i];
	return NULL;
}

/* Is it new?  One without room here stays new, and unsaid. */
static bool trouble_is_new(struct steer_log *log, const struct steer_event *news)
{
	struct trouble *known;
	char text[512] = "left out";
	__u64 hash;

	/* how many are left out, and which, is the namespace's to change as it likes */
	if (news->type != STEER_GROUPS_LEFT_OUT)
		steer_event_text(news, text, sizeof(text));
	hash = hash_text(text, news->group->netns);
	known = trouble_find(log, hash);
	if (known) {
		known->seen = true;
		return false;
	}
	if (log->troubles == TROUBLES_MAX)
		return false;
	log->trouble[log->troubles++] = (struct trouble){ hash, true };
	return true;
}

/* --- lines */

static void say(const struct steer_log *log, const struct steer_event *news, enum log_level level)
{
	char message[64], address[STEER_GROUP_TEXT_MAX];
	struct log_line line;

	snprintf(message, sizeof(message), "steer: %s", steer_event_name(news->type));
	log_begin(&line, level, message);
	log_field(&line, "address", "%s", steer_group_text(news->group, address));
	log_field(&line, "netns", "%u", news->group->netns);
	if (news->slot) {
		log_field(&line, "process", "%s", news->slot->comm);
		log_field(&line, "pid", "%u", news->slot->pid);
	}
	if (news->count)
		log_field(&line, news->type == STEER_GROUPS_LEFT_OUT ? "groups" : "sockets", "%d",
			  news->count);
	if (news->type == STEER_GROUP_FOREIGN)
		log_field(&line, "program_id", "%u", news->prog_id);
	if (news->why)
		log_field(&line, "reason", "%s", news->why);
	if (log->bound_ns &&
	    (news->type == STEER_GROUP_ATTACHED || news->type == STEER_SOCKET_JOINED))
		log_field(&line, "after_us", "%llu",
			  (clock_now_ns(CLOCK_MONOTONIC) - log->bound_ns) / 1000);
	log_end(&line);
}

void steer_log_event(const struct steer_event *news, void *arg)
{
	struct steer_log *log = arg;

	switch (news->type) {
	case STEER_GROUP_FOUND:
		return;
	case STEER_GROUP_KEPT:
		log->groups++;
		return;
	case STEER_GROUP_FOREIGN:
	case STEER_GROUP_FAILED:
	case STEER_GROUPS_LEFT_OUT:
	case STEER_SOCKET_FAILED:
		if (trouble_is_new(log, news))
			say(log, news, LOG_LEVEL_WARNING);
		return;
	case STEER_GROUP_ATTACHED:
	case STEER_GROUP_CHANGED:
		log->groups++;
		break;
	default:
		break;
	}
	say(log, news, news->type == STEER_DRAIN_LAPSED ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO);
}

void steer_log_begin(struct steer_log *log, __u64 bound_ns)
{
	int i;

	log->bound_ns = bound_ns;
	log->groups = 0;
	for (i = 0; i < log->troubles; i++)
		log->trouble[i].seen = false;
}

void steer_log_end(struct steer_log *log, bool complete)
{
	int i, kept = 0;

	if (!complete)
		return;
	log->groups_before = log->groups;
	for (i = 0; i < log->troubles; i++)
		if (log->trouble[i].seen)
			log->trouble[kept++] = log->trouble[i];
	log->troubles = kept;
}
