// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmd/monitor/state.h"

#include "base/array.h"
#include "base/clock.h"
#include "base/ports.h"
#include "cmd/reply/audit_verdict.h"
#include "hold/hold.h"
#include "hold/pins.h"
#include "host/daemon_status.h"
#include "net/netdev.h"
#include "reply/pins.h"
#include "reply/reply.h"
#include "steer/group/groups.h"
#include "steer/group/slots.h"
#include "steer/steer.h"
#include "wire/pins.h"
#include "wire/wire.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* The daemon rounds running_for_s to nine significant digits. */
#define ROUNDED_NS 100000000ULL

/* --- objects */

static void reason_set(struct monitor_load *load, const struct err *err)
{
	snprintf(load->reason, sizeof(load->reason), "%s", err->what);
}

/* Reads the record of an object. Returns true if it is loaded. */
static bool record_read(const char *bpffs, const struct state_dir *sd, void *meta,
			struct monitor_load *load)
{
	const struct sluice_meta *head = meta;
	struct err err = { 0 };
	int result = meta_read(sd, bpffs, meta, &err);

	load->state = MONITOR_IS_ABSENT;
	if (!result)
		load->state = head->state == SLUICE_LOADED ? MONITOR_IS_LOADED
							   : MONITOR_IS_CHANGING;
	else if (result == -EUCLEAN)
		load->state = MONITOR_IS_CHANGING;
	else if (result != -ENOENT)
		reason_set(load, &err);
	load->by_daemon = load->state == MONITOR_IS_LOADED && state_dir_is_daemons(sd, bpffs);
	return load->state == MONITOR_IS_LOADED;
}

static void mode_set(struct monitor_load *load, const char *mode)
{
	snprintf(load->mode, sizeof(load->mode), "%s", mode);
}

static void hold_look(const char *bpffs, struct monitor_load *load)
{
	struct sluice_hold_meta meta;
	struct ports ports;

	if (!record_read(bpffs, &hold_state_dir, &meta, load))
		return;
	load->loaded_ns = meta.loaded_ns;
	load->cgroup_id = meta.cgroup_id;
	load->detached = !hold_attached(bpffs, &meta);
	hold_ports(&meta, &ports);
	ports_format(&ports, load->ports, sizeof(load->ports));
}

static void wire_look(const char *bpffs, struct monitor_state *state)
{
	struct monitor_load *load = &state->load[MONITOR_WIRE];
	struct wire_state wire = { 0 };
	struct ports ports = { 0 };
	struct err err = { 0 };
	int i;

	if (!record_read(bpffs, &wire_state_dir, &wire.meta, load))
		return;
	load->loaded_ns = wire.meta.loaded_ns;
	ports.any = wire.meta.any_port;
	memcpy(ports.bit, wire.meta.ports, sizeof(ports.bit));
	ports_format(&ports, load->ports, sizeof(load->ports));
	wire.elsewhere = wire.meta.netns != netdev_netns();
	if (wire_ifaces(bpffs, &wire.ifaces, &wire.count, &err))
		reason_set(load, &err);
	state->ifaces = calloc((size_t)wire.count + 1, sizeof(*state->ifaces));
	for (i = 0; state->ifaces && i < wire.count; i++) {
		struct monitor_iface *to = &state->ifaces[state->iface_count++];

		to->ifindex = wire.ifaces[i].ifindex;
		to->gone = wire_is_gone(&wire, &wire.ifaces[i]);
		snprintf(to->name, sizeof(to->name), "%.*s", (int)sizeof(to->name) - 1,
			 wire.ifaces[i].entry.name);
	}
	wire_state_free(&wire);
}

/* --- steering */

static int group_add(struct steer_group *group, void *arg)
{
	struct monitor_state *state = arg;
	void *groups = state->groups;
	struct monitor_group *to;
	int slot;

	if (array_grow(&groups, &state->group_room, state->group_count, sizeof(*to)))
		return -ENOMEM;
	state->groups = groups;
	to = &state->groups[state->group_count];
	*to = (struct monitor_group){ .loaded_ns = group->info.loaded_ns,
				      .local = group->info.local,
				      .netns = group->info.netns,
				      .ifindex = group->info.ifindex,
				      .port = group->info.port };
	memcpy(to->name, group->name, sizeof(to->name));
	to->workers = calloc(SLUICE_STEER_SLOTS, sizeof(*to->workers));
	if (!to->workers)
		return -ENOMEM;
	state->group_count++;
	for (slot = 0; slot < SLUICE_STEER_SLOTS; slot++) {
		const struct sluice_steer_slot *from = &group->slots[slot];
		struct monitor_worker *worker = &to->workers[to->count];

		to->incarnation[slot] = from->incarnation;
		if (from->state == SLUICE_STEER_FREE)
			continue;
		*worker = (struct monitor_worker){ .cookie = from->cookie,
						   .pid = from->pid,
						   .generation = from->generation,
						   .slot = (__u16)slot,
						   .state = from->state,
						   .closed = !steer_group_holds(group, slot) };
		memcpy(worker->comm, from->comm, sizeof(worker->comm));
		worker->comm[sizeof(worker->comm) - 1] = '\0';
		to->count++;
	}
	return 0;
}

static int by_name(const void *a, const void *b)
{
	const struct monitor_group *left = a, *right = b;

	return strcmp(left->name, right->name);
}

/* Finds the closed sockets of a group. Returns false if the group cannot be read. */
static bool group_look(const char *bpffs, struct monitor_group *group)
{
	int i, fd = steer_group_sockets_open(bpffs, group->name);
	__u64 cookie;

	for (i = 0; fd >= 0 && i < group->count; i++) {
		__u32 slot = group->workers[i].slot;

		group->workers[i].closed = bpf_map_lookup_elem(fd, &slot, &cookie) ||
					   cookie != group->workers[i].cookie;
	}
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static void groups_free(struct monitor_state *state)
{
	while (state->group_count)
		free(state->groups[--state->group_count].workers);
}

/* Copies the groups of @before, without their closed sockets. Returns false if a group is gone. */
static bool groups_keep(const char *bpffs, const struct monitor_state *before,
			struct monitor_state *state)
{
	size_t i, bytes;

	state->groups = calloc(before->group_count + 1, sizeof(*state->groups));
	if (!state->groups)
		return false;
	state->group_room = before->group_count + 1;
	for (i = 0; i < before->group_count; i++) {
		struct monitor_group *group = &state->groups[i];

		*group = before->groups[i];
		/* monitor_diff() sets this */
		group->generation = 0;
		bytes = (size_t)group->count * sizeof(*group->workers);
		group->workers = malloc(bytes + 1);
		if (!group->workers)
			return false;
		memcpy(group->workers, before->groups[i].workers, bytes);
		state->group_count++;
		if (!group_look(bpffs, group))
			return false;
	}
	return true;
}

static void steer_look(const char *bpffs, const struct monitor_state *before,
		       struct monitor_state *state)
{
	struct monitor_load *load = &state->load[MONITOR_STEER];
	struct sluice_steer_meta meta;
	struct err err = { 0 };
	struct ports ports;
	int result;

	if (!record_read(bpffs, &steer_state_dir, &meta, load))
		return;
	load->loaded_ns = meta.loaded_ns;
	mode_set(load, steer_policy_name(meta.policy));
	steer_ports(&meta, &ports);
	ports_format(&ports, load->ports, sizeof(load->ports));
	if (before && before->load[MONITOR_STEER].loaded_ns == meta.loaded_ns &&
	    !*before->load[MONITOR_STEER].reason && groups_keep(bpffs, before, state))
		return;
	groups_free(state);
	result = steer_groups(bpffs, group_add, state, &err);
	if (result && !err.code)
		err_set(&err, EXIT_ERROR, -result, "steer: %s", strerror(-result));
	if (result)
		reason_set(load, &err);
	if (state->group_count)
		qsort(state->groups, state->group_count, sizeof(*state->groups), by_name);
}

/* --- wrong replies */

static void audit_add(__u64 cookie, const struct sluice_audit *audit, void *arg)
{
	struct monitor_state *state = arg;
	void *audits = state->audits;
	struct monitor_audit *to;

	if (!audit->wrong && !audit->connect_wrong)
		return;
	if (array_grow(&audits, &state->audit_room, state->audit_count, sizeof(*to)))
		return;
	state->audits = audits;
	to = &state->audits[state->audit_count++];
	*to = (struct monitor_audit){
		.cookie = cookie,
		.unconnected = { .count = audit->wrong,
				 .peer = audit->peer,
				 .asked = audit->asked,
				 .used = audit->used,
				 .peer_port_be = audit->peer_port_be },
		.connected = { .count = audit->connect_wrong,
			       .peer = audit->connect_peer,
			       .asked = audit->connect_asked,
			       .used = audit->connect_used,
			       .peer_port_be = audit->connect_port_be },
		.pid = audit->pid,
		.netns = audit->netns,
		.port = audit->port,
	};
	memcpy(to->comm, audit->comm, sizeof(to->comm));
	to->comm[sizeof(to->comm) - 1] = '\0';
}

static int by_cookie(const void *a, const void *b)
{
	const struct monitor_audit *left = a, *right = b;

	return (left->cookie > right->cookie) - (left->cookie < right->cookie);
}

struct monitor_audit *monitor_audit_find(const struct monitor_state *state, __u64 cookie)
{
	const struct monitor_audit wanted = { .cookie = cookie };

	return state->audit_count ? bsearch(&wanted, state->audits, state->audit_count,
					    sizeof(wanted), by_cookie)
				  : NULL;
}

/* Adds verdicts and processes. Without them, each wrong reply counts as not fixed. */
static void audits_classify(const char *bpffs, struct monitor_state *state)
{
	struct sockets *sockets = NULL;
	struct audit_rows rows = { 0 };
	struct monitor_audit *to;
	size_t i;

	if (sockets_read(&sockets, NULL, &(struct err){ 0 }))
		sockets = NULL;
	if (audit_rows_read(bpffs, sockets, &rows, &(struct err){ 0 }))
		rows.count = 0;
	for (i = 0; i < rows.count; i++) {
		const struct audit_row *row = &rows.row[i];

		to = monitor_audit_find(state, row->cookie);
		if (!to)
			continue;
		to->unconnected.covered = row->replies == AUDIT_COVERED;
		to->connected.covered = row->connected == AUDIT_COVERED;
		to->fixed_by = audit_fix_name(row->fix);
		if (!row->owner)
			continue;
		to->pid = row->owner->pid;
		memcpy(to->comm, row->owner->comm, sizeof(to->comm));
		to->comm[sizeof(to->comm) - 1] = '\0';
	}
	audit_rows_free(&rows);
	sockets_free(sockets);
}

static void reply_look(const char *bpffs, const struct monitor_state *before,
		       struct monitor_state *state)
{
	struct monitor_load *load = &state->load[MONITOR_REPLY];
	struct reply_state reply = { 0 };
	struct err err = { 0 };
	struct ports ports;

	if (!record_read(bpffs, &reply_state_dir, &reply.meta, load))
		return;
	/* the counter first: audits that are read later cannot be behind it */
	if (reply_read(bpffs, &reply, &err)) {
		reason_set(load, &err);
		return;
	}
	load->loaded_ns = reply.meta.loaded_ns;
	load->cgroup_id = reply.meta.cgroup_id;
	load->detached = !reply_attached(bpffs, &reply.meta);
	mode_set(load, reply_mode_name(reply.meta.mode));
	reply_ports(&reply.meta, &ports);
	ports_format(&ports, load->ports, sizeof(load->ports));
	state->wrong = reply.counters.value[SLUICE_REPLY_audit_wrong];
	if (before && before->wrong == state->wrong) {
		state->audits = calloc(before->audit_count + 1, sizeof(*state->audits));
		if (!state->audits)
			return;
		state->audit_room = before->audit_count + 1;
		state->audit_count = before->audit_count;
		if (before->audit_count)
			memcpy(state->audits, before->audits,
			       before->audit_count * sizeof(*state->audits));
		return;
	}
	if (!state->wrong)
		return;
	if (reply_audits(bpffs, audit_add, state, &err)) {
		reason_set(load, &err);
		return;
	}
	if (state->audit_count)
		qsort(state->audits, state->audit_count, sizeof(*state->audits), by_cookie);
	/* the first state has no predecessor */
	if (before)
		audits_classify(bpffs, state);
}

/* --- the daemon */

static void text_set(char *to, size_t size, const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	snprintf(to, size, "%s", text ? text : "");
}

static void section_look(const json_t *section, struct monitor_daemon *daemon)
{
	const char *name = json_string_value(json_object_get(section, "section"));
	struct monitor_section *to;
	int object;

	for (object = 0; object < MONITOR_OBJECTS; object++)
		if (name && !strcmp(name, monitor_object_names[object]))
			break;
	if (object == MONITOR_OBJECTS)
		return;
	to = &daemon->section[object];
	text_set(to->state, sizeof(to->state), section, "state");
	text_set(to->reason, sizeof(to->reason), section, "reason");
	to->changes = (__u64)json_integer_value(json_object_get(section, "changes"));
}

static void daemon_look(const char *bpffs, struct monitor_daemon *daemon)
{
	__u64 asked_ns = clock_now_ns(CLOCK_MONOTONIC), running_ns;
	struct daemon_status status;
	const json_t *document, *sections;
	size_t i;

	daemon_status_read(bpffs, &status);
	document = status.document;
	daemon->pid = status.pid;
	memcpy(daemon->reason, status.reason, sizeof(daemon->reason));
	if (document) {
		running_ns = (__u64)(json_number_value(json_object_get(document, "running_for_s")) *
				     1e9);
		daemon->started_from_ns = asked_ns - running_ns - ROUNDED_NS;
		daemon->started_to_ns = clock_now_ns(CLOCK_MONOTONIC) - running_ns + ROUNDED_NS;
		text_set(daemon->refused, sizeof(daemon->refused), document, "reload_refused");
		sections = json_object_get(document, "sections");
		for (i = 0; i < json_array_size(sections); i++)
			section_look(json_array_get(sections, i), daemon);
	}
	daemon_status_free(&status);
}

/* --- all */

void monitor_state_read(const char *bpffs, const struct monitor_state *before,
			const struct monitor_reading *reading, struct monitor_state *state)
{
	*state = (struct monitor_state){ .at_ns = clock_now_ns(CLOCK_BOOTTIME) };
	reply_look(bpffs, before, state);
	wire_look(bpffs, state);
	hold_look(bpffs, &state->load[MONITOR_HOLD]);
	steer_look(bpffs, reading->groups ? NULL : before, state);
	/* the daemon last: its object may show a reported change only in the next reading */
	if (reading->daemon)
		daemon_look(bpffs, &state->daemon);
	else
		state->daemon = before->daemon;
}

void monitor_state_free(struct monitor_state *state)
{
	groups_free(state);
	free(state->groups);
	free(state->ifaces);
	free(state->audits);
	*state = (struct monitor_state){ 0 };
}
