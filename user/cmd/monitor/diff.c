// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmd/monitor/diff.h"

#include "cmd/monitor/diff_groups.h"

#include <stdlib.h>
#include <string.h>

/* A load or unload that takes longer than this is assumed killed. */
#define CHANGING_MAX_NS 3000000000ULL
/* A daemon without an answer for this long is reported; loading many groups delays the answer. */
#define SILENT_MAX_NS 10000000000ULL
/* Report a gap if a reading is later than this. */
#define LATE_MAX_NS 2000000000ULL

static void gap(const struct diff *diff, enum monitor_object object, __u64 count,
		const char *reason)
{
	diff_emit(diff, &(struct monitor_event){ .type = MONITOR_GAP,
						 .object = object,
						 .count = count,
						 .reason = reason });
}

/* --- objects */

/*
 * If @after does not show the object, keeps the values of @before. Returns false if there is
 * nothing to compare.
 */
static bool load_is_known(const struct diff *diff, enum monitor_object object)
{
	const struct monitor_load *was = &diff->before->load[object];
	struct monitor_load *is = &diff->after->load[object], kept = *was;

	if (!*is->reason && is->state != MONITOR_IS_CHANGING)
		return true;
	kept.made = is->made;
	memcpy(kept.reason, is->reason, sizeof(kept.reason));
	if (*is->reason && strcmp(is->reason, was->reason) != 0)
		gap(diff, object, 0, is->reason);
	if (!*is->reason && !kept.changing_ns)
		kept.changing_ns = diff->after->at_ns;
	if (!*is->reason && !kept.incomplete &&
	    diff->after->at_ns - kept.changing_ns >= CHANGING_MAX_NS) {
		kept.incomplete = true;
		diff_emit(diff,
			  &(struct monitor_event){ .type = MONITOR_INCOMPLETE, .object = object });
	}
	*is = kept;
	return false;
}

/*
 * Returns the number of times the directory was created without any state showing it. An unload
 * removes the directory; the next load creates it. A state may show the directory before its
 * notification is read.
 */
static __u64 makes_unseen(const struct diff *diff, enum monitor_object object)
{
	const struct monitor_load *was = &diff->before->load[object];
	struct monitor_load *is = &diff->after->load[object];
	__u64 seen = was->made_seen +
		     (was->state == MONITOR_IS_ABSENT && is->state == MONITOR_IS_LOADED);
	__u64 unseen = is->made > seen ? is->made - seen : 0;
	bool never_notified = seen > is->made && was->made_seen > was->made;

	is->made_seen = unseen || never_notified || diff->after->overflow ? is->made : seen;
	return unseen;
}

static void load_came(const struct diff *diff, enum monitor_object object)
{
	const struct monitor_load *was = &diff->before->load[object];
	struct monitor_load *is = &diff->after->load[object];
	bool was_there = was->state == MONITOR_IS_LOADED, is_there = is->state == MONITOR_IS_LOADED;
	__u64 unseen = makes_unseen(diff, object);
	struct monitor_event event = { .object = object };

	if (was_there && is_there && (unseen || diff->after->remade)) {
		event.type = MONITOR_UNLOADED;
		diff_emit(diff, &event);
		was_there = false;
		unseen -= unseen > 0;
	}
	if (unseen)
		gap(diff, object, unseen,
		    "it was loaded, at least partly, and unloaded in between");
	if (!is_there)
		return;
	event.load = is;
	event.type = was_there ? MONITOR_REPLACED : MONITOR_LOADED;
	if (!was_there || was->loaded_ns != is->loaded_ns)
		diff_emit(diff, &event);
	event.load = NULL;
	event.type = is->detached ? MONITOR_DETACHED : MONITOR_ATTACHED;
	is->detached_too = was_there && is->detached && was->detached;
	if (is->detached_too != (was_there && was->detached_too))
		diff_emit(diff, &event);
}

static void load_went(const struct diff *diff, enum monitor_object object)
{
	const struct monitor_load *was = &diff->before->load[object];

	if (diff->after->load[object].state == MONITOR_IS_ABSENT &&
	    (was->state == MONITOR_IS_LOADED || was->incomplete))
		diff_emit(diff,
			  &(struct monitor_event){ .type = MONITOR_UNLOADED, .object = object });
}

/* --- interfaces of mode wire */

static struct monitor_iface *iface_find(const struct monitor_state *state, __u32 ifindex)
{
	int i;

	for (i = 0; i < state->iface_count; i++)
		if (state->ifaces[i].ifindex == ifindex)
			return &state->ifaces[i];
	return NULL;
}

static void iface_event(const struct diff *diff, enum monitor_event_type type,
			const struct monitor_iface *iface)
{
	diff_emit(diff,
		  &(struct monitor_event){ .type = type, .object = MONITOR_WIRE, .iface = iface });
}

/* Keeps an interface that is no longer attached, since an unload may be in progress. */
static bool iface_keep(struct monitor_state *state, const struct monitor_iface *was)
{
	struct monitor_iface *is = iface_find(state, was->ifindex);
	struct monitor_iface *grown;

	if (!is) {
		grown = reallocarray(state->ifaces, (size_t)state->iface_count + 1, sizeof(*is));
		if (!grown)
			return false;
		state->ifaces = grown;
		is = &grown[state->iface_count++];
		*is = *was;
	}
	is->gone = is->missing = true;
	return true;
}

static void ifaces_diff(const struct diff *diff)
{
	int i;

	for (i = 0; i < diff->before->iface_count; i++) {
		const struct monitor_iface *was = &diff->before->ifaces[i];
		const struct monitor_iface *is = iface_find(diff->after, was->ifindex);

		if ((was->gone && !was->missing) || (is && !is->gone))
			continue;
		if (was->missing || !iface_keep(diff->after, was))
			iface_event(diff, MONITOR_DETACHED, was);
	}
	for (i = 0; i < diff->after->iface_count; i++) {
		const struct monitor_iface *is = &diff->after->ifaces[i];
		const struct monitor_iface *was = iface_find(diff->before, is->ifindex);

		if (!is->gone && (!was || (was->gone && !was->missing)))
			iface_event(diff, MONITOR_ATTACHED, is);
	}
}

static void ifaces_keep(const struct diff *diff)
{
	free(diff->after->ifaces);
	diff->after->ifaces = diff->before->ifaces;
	diff->after->iface_count = diff->before->iface_count;
	diff->before->ifaces = NULL;
	diff->before->iface_count = 0;
}

/* --- wrong replies */

static __u64 wrong_diff(const struct diff *diff, const struct monitor_audit *audit,
			const struct monitor_wrong *was, const struct monitor_wrong *is)
{
	/* an unload resets the counter of a socket to 0 */
	__u64 count = was && was->count <= is->count ? is->count - was->count : is->count;

	if (count && !is->covered)
		diff_emit(diff, &(struct monitor_event){ .type = MONITOR_WRONG,
							 .object = MONITOR_REPLY,
							 .audit = audit,
							 .wrong = is,
							 .count = count });
	return count;
}

/*
 * The counter is read before the audits, so the audits may be ahead of it. They are behind the
 * counter only if the table of audits is full.
 */
static void audits_diff(const struct diff *diff)
{
	const struct monitor_state *before = diff->before;
	struct monitor_state *after = diff->after;
	bool fresh = after->wrong < before->wrong;
	__u64 counted = after->wrong - (fresh ? 0 : before->wrong);
	__s64 ahead = fresh ? 0 : before->audits_ahead;
	size_t i;

	for (i = 0; i < after->audit_count; i++) {
		const struct monitor_audit *is = &after->audits[i];
		const struct monitor_audit *was = monitor_audit_find(before, is->cookie);

		ahead += (__s64)wrong_diff(diff, is, was ? &was->unconnected : NULL,
					   &is->unconnected);
		ahead += (__s64)wrong_diff(diff, is, was ? &was->connected : NULL, &is->connected);
	}
	ahead -= (__s64)counted;
	if (ahead < 0)
		gap(diff, MONITOR_REPLY, (__u64)-ahead,
		    "wrong replies of sockets that are not recorded");
	after->audits_ahead = ahead < 0 ? 0 : ahead;
}

static void audits_keep(const struct diff *diff)
{
	struct monitor_state *before = diff->before, *after = diff->after;
	const struct monitor_state read = *after;

	after->wrong = before->wrong;
	after->audits_ahead = before->audits_ahead;
	after->audits = before->audits;
	after->audit_count = before->audit_count;
	after->audit_room = before->audit_room;
	before->audits = read.audits;
	before->audit_count = read.audit_count;
	before->audit_room = read.audit_room;
}

/* --- the daemon */

static void section_diff(const struct diff *diff, enum monitor_object object)
{
	const struct monitor_section *was = &diff->before->daemon.section[object];
	const struct monitor_section *is = &diff->after->daemon.section[object];
	bool other_state = strcmp(was->state, is->state) != 0;
	bool other_reason = strcmp(was->reason, is->reason) != 0;
	struct monitor_event event = { .object = object };
	__u64 changes = is->changes > was->changes ? is->changes - was->changes : 0;

	if (changes > (other_state || other_reason))
		gap(diff, object, changes - (other_state || other_reason),
		    "the section changed in between");
	if (other_state && !*is->state) {
		event.type = MONITOR_REMOVED;
		diff_emit(diff, &event);
	} else if (!strcmp(is->state, "waiting") && (other_state || other_reason)) {
		event.type = MONITOR_WAITING;
		event.reason = is->reason;
		diff_emit(diff, &event);
	} else if (other_state && (!strcmp(is->state, "loaded") || !strcmp(is->state, "running"))) {
		event.type = MONITOR_APPLIED;
		diff_emit(diff, &event);
	}
}

static bool daemon_is_other(const struct monitor_daemon *was, const struct monitor_daemon *is)
{
	if (was->pid != is->pid)
		return true;
	/* the first process of a container has the same PID after a restart */
	return was->started_to_ns && is->started_to_ns &&
	       (was->started_to_ns < is->started_from_ns ||
		is->started_to_ns < was->started_from_ns);
}

/* Keeps the last answer of the daemon. */
static void daemon_keep(const struct diff *diff)
{
	const struct monitor_daemon *was = &diff->before->daemon;
	struct monitor_daemon *is = &diff->after->daemon, kept = *was;

	kept.pid = is->pid;
	memcpy(kept.reason, is->reason, sizeof(kept.reason));
	if (!kept.silent_ns)
		kept.silent_ns = diff->after->at_ns;
	if (!kept.silent && diff->after->at_ns - kept.silent_ns >= SILENT_MAX_NS) {
		kept.silent = true;
		gap(diff, MONITOR_DAEMON, 0, is->reason);
	}
	*is = kept;
}

static void daemon_diff(const struct diff *diff)
{
	struct monitor_daemon *was = &diff->before->daemon, *is = &diff->after->daemon;
	struct monitor_event event = { .object = MONITOR_DAEMON };
	int object;

	if (daemon_is_other(was, is)) {
		event.type = MONITOR_STOPPED;
		event.daemon = was;
		if (was->pid)
			diff_emit(diff, &event);
		event.type = MONITOR_STARTED;
		event.daemon = is;
		if (is->pid)
			diff_emit(diff, &event);
		/* drop the sections of the old daemon: the report of its stop covers them */
		*was = (struct monitor_daemon){ .pid = is->pid };
		if (!is->pid)
			return;
	}
	if (*is->reason) {
		daemon_keep(diff);
		return;
	}
	for (object = 0; object < MONITOR_OBJECTS; object++)
		section_diff(diff, object);
	event.type = MONITOR_RELOAD_REFUSED;
	event.daemon = NULL;
	event.reason = is->refused;
	if (*is->refused && strcmp(is->refused, was->refused) != 0)
		diff_emit(diff, &event);
}

/* --- all */

void monitor_diff_begin(struct monitor_state *first, monitor_event_fn fn, void *arg)
{
	const struct diff diff = { .after = first, .fn = fn, .arg = arg };
	int object;

	for (object = 0; object < MONITOR_OBJECTS; object++) {
		struct monitor_load *load = &first->load[object];

		load->made_seen = load->made;
		load->detached_too = load->detached;
		if (*load->reason)
			gap(&diff, object, 0, load->reason);
	}
}

void monitor_diff(struct monitor_state *before, struct monitor_state *after, __u64 late_ns,
		  monitor_event_fn fn, void *arg)
{
	const struct diff diff = { .before = before, .after = after, .fn = fn, .arg = arg };
	bool known[MONITOR_OBJECTS];
	int object;

	if (late_ns > LATE_MAX_NS)
		gap(&diff, MONITOR_SELF, 0,
		    "the command was stopped, its output not read, or the host too busy");
	if (after->overflow)
		gap(&diff, MONITOR_SELF, 0, "the queue of notifications was full");
	for (object = 0; object < MONITOR_OBJECTS; object++) {
		known[object] = load_is_known(&diff, object);
		if (known[object])
			load_came(&diff, object);
	}
	if (!known[MONITOR_WIRE])
		ifaces_keep(&diff);
	else if (after->load[MONITOR_WIRE].state == MONITOR_IS_LOADED)
		ifaces_diff(&diff);
	if (known[MONITOR_STEER])
		diff_groups(&diff);
	else
		diff_groups_keep(&diff);
	if (known[MONITOR_REPLY])
		audits_diff(&diff);
	else
		audits_keep(&diff);
	for (object = 0; object < MONITOR_OBJECTS; object++)
		if (known[object])
			load_went(&diff, object);
	daemon_diff(&diff);
}

bool monitor_diff_is_settled(const struct monitor_state *state)
{
	int i;

	for (i = 0; i < MONITOR_OBJECTS; i++) {
		const struct monitor_load *load = &state->load[i];

		if ((load->changing_ns && !load->incomplete) ||
		    load->detached != load->detached_too)
			return false;
	}
	for (i = 0; i < state->iface_count; i++)
		if (state->ifaces[i].missing)
			return false;
	return !state->daemon.silent_ns || state->daemon.silent;
}
