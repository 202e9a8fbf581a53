// SPDX-License-Identifier: GPL-2.0-or-later
#include "steer/events.h"

#include "base/addr.h"
#include "base/log.h"
#include "net/netns.h"
#include "net/netns_names.h"

#include <arpa/inet.h>
#include <net/if.h>

static const char *const event_names[] = {
	[STEER_GROUP_FOUND] = "group-found",	   [STEER_GROUP_ATTACHED] = "group-attached",
	[STEER_GROUP_KEPT] = "group-kept",	   [STEER_GROUP_CHANGED] = "group-changed",
	[STEER_GROUP_FOREIGN] = "group-foreign",   [STEER_GROUP_GONE] = "group-gone",
	[STEER_GROUP_RELEASED] = "group-released", [STEER_GROUP_FAILED] = "group-failed",
	[STEER_SOCKET_JOINED] = "socket-joined",   [STEER_SOCKET_LEFT] = "socket-left",
	[STEER_SOCKET_FAILED] = "socket-failed",   [STEER_GENERATION] = "generation",
	[STEER_DRAIN_LAPSED] = "drain-lapsed",	   [STEER_GROUPS_LEFT_OUT] = "groups-left-out",
};

const char *steer_event_name(enum steer_event_type type)
{
	return event_names[type];
}

bool steer_event_is_change(const struct steer_event *event)
{
	switch (event->type) {
	case STEER_GROUP_FOUND:
	case STEER_GROUP_FOREIGN:
	case STEER_GROUP_FAILED:
	case STEER_SOCKET_FAILED:
	case STEER_GROUPS_LEFT_OUT:
		return false;
	case STEER_GROUP_KEPT:
		return event->added > 0;
	default:
		return true;
	}
}

const char *steer_group_text(const struct sluice_steer_group *group,
			     char text[STEER_GROUP_TEXT_MAX])
{
	char addr[ADDR_TEXT_MAX];
	int length = snprintf(text, STEER_GROUP_TEXT_MAX, "%s",
			      addr_format_port(&group->local, htons(group->port), addr));

	/* print the index, since the name is valid only in the namespace of the group */
	if (group->ifindex)
		snprintf(text + length, STEER_GROUP_TEXT_MAX - (size_t)length, " on interface %u",
			 group->ifindex);
	return text;
}

const char *steer_event_text(const struct steer_event *event, char *text, size_t size)
{
	char group[STEER_GROUP_TEXT_MAX], who[64] = "", netns[NETNS_TEXT_MAX], added[32] = "";

	steer_group_text(event->group, group);
	netns_text(event->group->netns, netns);
	if (event->slot)
		snprintf(who, sizeof(who), "%s (%u)", event->slot->comm, event->slot->pid);
	switch (event->type) {
	case STEER_GROUP_FOREIGN:
		if (event->why)
			snprintf(text, size, "%s: left alone: %s (program %u)", group, event->why,
				 event->prog_id);
		else if (event->prog_id)
			snprintf(text, size, "%s: left alone: %s has its own program %u", group,
				 who, event->prog_id);
		else
			snprintf(text, size, "%s: left alone: %s has its own classic BPF program",
				 group, who);
		break;
	case STEER_SOCKET_JOINED:
		snprintf(text, size, "%s: socket of %s joined", group, who);
		break;
	case STEER_SOCKET_LEFT:
		snprintf(text, size, "%s: socket of %s left%s%s", group, who,
			 event->why ? ": " : "", event->why ? event->why : "");
		break;
	case STEER_SOCKET_FAILED:
		snprintf(text, size, "%s: socket of %s failed to join: %s", group, who, event->why);
		break;
	case STEER_GROUP_FAILED:
		snprintf(text, size, "%s: %s", group, event->why);
		break;
	case STEER_GENERATION:
		snprintf(text, size, "%s: new flows go to a new generation: %s, %d socket%s", group,
			 who, event->count, event->count == 1 ? "" : "s");
		break;
	case STEER_DRAIN_LAPSED:
		snprintf(text, size, "%s: the drain of %s was killed: it takes new flows again",
			 group, who);
		break;
	case STEER_GROUPS_LEFT_OUT:
		snprintf(text, size,
			 "netns %s: %d group%s left to the kernel, such as %s of %s: %s; name"
			 " the ports, or one namespace",
			 netns, event->count, event->count == 1 ? "" : "s", group, who, event->why);
		break;
	default:
		if (event->added)
			snprintf(added, sizeof(added), " (%d added)", event->added);
		snprintf(text, size, "%s: %s, %d socket%s%s, netns %s", group,
			 steer_event_name(event->type) + sizeof("group"), event->count,
			 event->count == 1 ? "" : "s", added, netns);
	}
	return text;
}

void steer_event_lapsed(const struct steer_event *event, void *arg)
{
	char text[512];

	if (event->type == STEER_DRAIN_LAPSED)
		log_warning("%s", steer_event_text(event, text, sizeof(text)));
}

json_t *steer_event_json(const struct steer_event *event)
{
	char addr[ADDR_TEXT_MAX];
	json_t *object = json_pack("{s:s, s:s, s:i}", "event", steer_event_name(event->type),
				   "address", addr_format(&event->group->local, addr), "port",
				   event->group->port);

	netns_names_json(NULL, event->group->netns, object);
	if (event->name)
		json_object_set_new(object, "name", json_string(event->name));
	if (event->slot) {
		json_object_set_new(object, "pid", json_integer(event->slot->pid));
		json_object_set_new(object, "process", output_name(event->slot->comm));
	}
	if (event->count)
		json_object_set_new(object,
				    event->type == STEER_GROUPS_LEFT_OUT ? "groups" : "sockets",
				    json_integer(event->count));
	if (event->type == STEER_GROUP_KEPT || event->type == STEER_GROUP_CHANGED)
		json_object_set_new(object, "added", json_integer(event->added));
	if (event->type == STEER_GROUP_FOREIGN)
		json_object_set_new(object, "program_id", json_integer(event->prog_id));
	if (event->why)
		json_object_set_new(object, "reason", output_name(event->why));
	return object;
}
