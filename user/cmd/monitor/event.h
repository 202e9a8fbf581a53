/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An event of 'sluice monitor', as JSON or as a text line. */
#ifndef SLUICE_CMD_MONITOR_EVENT_H
#define SLUICE_CMD_MONITOR_EVENT_H

#include "cli/output.h"
#include "cmd/monitor/state.h"

#include <time.h>

/* The event types and their names in the output. */
#define MONITOR_EVENTS(X)                     \
	/* events of an object */             \
	X(LOADED, "loaded")                   \
	X(REPLACED, "replaced")               \
	X(UNLOADED, "unloaded")               \
	X(INCOMPLETE, "incomplete")           \
	X(DETACHED, "detached")               \
	X(ATTACHED, "attached")               \
	/* events of steering */              \
	X(GROUP_ADDED, "group-added")         \
	X(GROUP_REMOVED, "group-removed")     \
	X(WORKER_JOINED, "worker-joined")     \
	X(WORKER_LEFT, "worker-left")         \
	X(GENERATION, "generation")           \
	X(DRAIN_STARTED, "drain-started")     \
	X(DRAIN_FINISHED, "drain-finished")   \
	X(DRAIN_CANCELLED, "drain-cancelled") \
	/* event of reply */                  \
	X(WRONG, "wrong")                     \
	/* events of a daemon section */      \
	X(WAITING, "waiting")                 \
	X(APPLIED, "applied")                 \
	X(REMOVED, "removed")                 \
	/* events of the daemon */            \
	X(STARTED, "started")                 \
	X(STOPPED, "stopped")                 \
	X(RELOAD_REFUSED, "reload-refused")   \
	/* changes that were missed */        \
	X(GAP, "gap")

enum monitor_event_type {
#define X(type, name) MONITOR_##type,
	MONITOR_EVENTS(X)
#undef X
	MONITOR_EVENT_TYPES
};

struct monitor_event {
	enum monitor_event_type type;
	enum monitor_object object;
	/* the subject; NULL: not set */
	const struct monitor_load *load;
	const struct monitor_iface *iface;
	const struct monitor_group *group;
	const struct monitor_worker *worker;
	const struct monitor_audit *audit;
	const struct monitor_wrong *wrong; /* of the audit */
	const struct monitor_daemon *daemon;
	const char *reason;
	__u64 count; /* number of sockets, replies or changes; 0: not set */
	__u32 generation, generation_before;
};

typedef void (*monitor_event_fn)(const struct monitor_event *event, void *arg);

const char *monitor_object_name(enum monitor_object object);
const char *monitor_event_name(enum monitor_event_type type);
/* Returns the event as a JSON document. */
json_t *monitor_event_json(const struct monitor_event *event, const struct timespec *at);
/*
 * Prints an event document as one line: object and event, then the keys and values. With
 * @stamp, begins with the local time of @at, as 'ip -timestamp' does.
 */
void monitor_event_print(const json_t *document, const struct timespec *at, bool stamp,
			 const struct output *output);

#endif
