// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmd/monitor/event.h"

#include "base/addr.h"
#include "base/text.h"
#include "net/netns_names.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <string.h>

const char *const monitor_object_names[MONITOR_OBJECTS + 1] = {
	[MONITOR_DAEMON] = "daemon", [MONITOR_REPLY] = "reply", [MONITOR_WIRE] = "wire",
	[MONITOR_HOLD] = "hold",     [MONITOR_STEER] = "steer", [MONITOR_RENDEZVOUS] = "rendezvous",
	[MONITOR_PEER] = "peer",     [MONITOR_OBJECTS] = NULL,
};

const char *monitor_object_name(enum monitor_object object)
{
	return object == MONITOR_SELF ? "monitor" : monitor_object_names[object];
}

const char *monitor_event_name(enum monitor_event_type type)
{
	static const char *const names[] = {
#define X(type, name) [MONITOR_##type] = name,
		MONITOR_EVENTS(X)
#undef X
	};

	return names[type];
}

/* --- JSON */

static void load_json(const struct monitor_event *event, json_t *document)
{
	const struct monitor_load *load = event->load;

	if (*load->mode)
		json_object_set_new(document, event->object == MONITOR_STEER ? "policy" : "mode",
				    json_string(load->mode));
	json_object_set_new(document, "ports", json_string(load->ports));
	json_object_set_new(document, "by", json_string(load->by_daemon ? "daemon" : "command"));
}

static void group_json(const struct monitor_group *group, json_t *document)
{
	char addr[ADDR_TEXT_MAX];

	json_object_set_new(document, "address", json_string(addr_format(&group->local, addr)));
	json_object_set_new(document, "port", json_integer(group->port));
	/* the index: the name exists only in the namespace of the group */
	if (group->ifindex)
		json_object_set_new(document, "ifindex", json_integer(group->ifindex));
	netns_names_json(NULL, group->netns, document);
}

static void process_json(__u32 pid, const char *comm, json_t *document)
{
	json_object_set_new(document, "pid", pid ? json_integer(pid) : json_null());
	json_object_set_new(document, "process", pid ? output_name(comm) : json_null());
}

static void wrong_json(const struct monitor_event *event, json_t *document)
{
	const struct monitor_audit *audit = event->audit;
	const struct monitor_wrong *wrong = event->wrong;
	char addr[ADDR_TEXT_MAX];

	process_json(audit->pid, audit->comm, document);
	json_object_set_new(document, "port", json_integer(audit->port));
	netns_names_json(NULL, audit->netns, document);
	json_object_set_new(document, "peer", json_string(addr_format(&wrong->peer, addr)));
	json_object_set_new(document, "peer_port", json_integer(ntohs(wrong->peer_port_be)));
	json_object_set_new(document, "requested", json_string(addr_format(&wrong->asked, addr)));
	json_object_set_new(document, "reply_source", json_string(addr_format(&wrong->used, addr)));
	json_object_set_new(document, "fixed_by",
			    audit->fixed_by ? json_string(audit->fixed_by) : json_null());
}

/* Returns the key for the number of an event. */
static const char *count_key(const struct monitor_event *event)
{
	return event->type == MONITOR_GAP     ? "changes"
	       : event->type == MONITOR_WRONG ? "replies"
					      : "sockets";
}

json_t *monitor_event_json(const struct monitor_event *event, const struct timespec *at)
{
	json_t *document = output_document();
	char time[64];
	struct tm utc;
	size_t length;

	length = strftime(time, sizeof(time), "%FT%T", gmtime_r(&at->tv_sec, &utc));
	snprintf(time + length, sizeof(time) - length, ".%06ldZ", at->tv_nsec / 1000);
	json_object_set_new(document, "time", json_string(time));
	json_object_set_new(document, "object", json_string(monitor_object_name(event->object)));
	json_object_set_new(document, "event", json_string(monitor_event_name(event->type)));
	if (event->load)
		load_json(event, document);
	if (event->iface) {
		json_object_set_new(document, "interface", output_name(event->iface->name));
		json_object_set_new(document, "ifindex", json_integer(event->iface->ifindex));
	}
	if (event->group)
		group_json(event->group, document);
	if (event->worker) {
		process_json(event->worker->pid, event->worker->comm, document);
		json_object_set_new(document, "generation",
				    json_integer(event->worker->generation));
	}
	if (event->generation) {
		json_object_set_new(document, "generation", json_integer(event->generation));
		json_object_set_new(document, "generation_before",
				    json_integer(event->generation_before));
	}
	if (event->audit)
		wrong_json(event, document);
	if (event->daemon)
		json_object_set_new(document, "pid",
				    event->daemon->pid > 0 ? json_integer(event->daemon->pid)
							   : json_null());
	if (event->count)
		json_object_set_new(document, count_key(event),
				    json_integer((json_int_t)event->count));
	if (event->reason)
		json_object_set_new(document, "reason", output_name(event->reason));
	return document;
}

/* --- text */

static enum output_tone tone_of(const char *event)
{
	static const char *const bad[] = { "wrong",	 "gap",	    "detached",
					   "incomplete", "waiting", "reload-refused" };
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (!strcmp(event, bad[i]))
			return OUTPUT_WARNING;
	return OUTPUT_GOOD;
}

/* Returns true if a value can be printed without quotes. */
static bool is_word(const char *text)
{
	return *text && !text[strcspn(text, " \"\\")];
}

static void value_print(const json_t *value, FILE *file)
{
	char text[1024];

	if (json_is_integer(value)) {
		fprintf(file, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
		return;
	}
	text_plain_copy(text, sizeof(text), json_string_value(value));
	fprintf(file, is_word(text) ? "%s" : "\"%s\"", text);
}

void monitor_event_print(const json_t *document, const struct timespec *at, bool stamp,
			 const struct output *output)
{
	/* the line begins with these keys */
	static const char *const first[] = { "schema_version", "time", "object", "event" };
	const char *event = json_string_value(json_object_get(document, "event"));
	const char *key;
	char time[64];
	json_t *value;
	struct tm local;
	size_t i;

	if (stamp) {
		strftime(time, sizeof(time), "%FT%T", localtime_r(&at->tv_sec, &local));
		fprintf(output->file, "[%s.%06ld] ", time, at->tv_nsec / 1000);
	}
	fprintf(output->file, "%s %s%s%s", json_string_value(json_object_get(document, "object")),
		output_tone(output, tone_of(event)), event, output_plain(output));
	json_object_foreach((json_t *)document, key, value) {
		for (i = 0; i < sizeof(first) / sizeof(*first) && strcmp(first[i], key) != 0;)
			i++;
		if (i < sizeof(first) / sizeof(*first) || json_is_null(value))
			continue;
		fprintf(output->file, " %s ", key);
		value_print(value, output->file);
	}
	fputc('\n', output->file);
}
