// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmd/top/sample.h"

#include "base/clock.h"
#include "base/local_socket.h"
#include "base/text.h"
#include "cmd/hold/show.h"
#include "hold/metrics.h"
#include "hold/pins.h"
#include "host/daemon_lock.h"
#include "meet/rendezvous/status_socket.h"
#include "net/netdev.h"
#include "reply/metrics.h"
#include "reply/pins.h"
#include "reply/reply.h"
#include "steer/cpu/spread.h"
#include "steer/events.h"
#include "steer/group/ended.h"
#include "wire/metrics.h"
#include "wire/pins.h"
#include "wire/wire.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define RENDEZVOUS	   "rendezvous"
#define RENDEZVOUS_WAIT_US 1000000
#define RENDEZVOUS_MAX	   (1 << 20)

/* One read of all objects. */
struct reader {
	struct top_source *source;
	const char *bpffs; /* same as in @source */
	struct top_sample *sample;
	struct err *err; /* the first error */
	int result;	 /* -errno of the first error */
};

static void add(struct reader *reader, const struct top_entry *entry)
{
	if (!top_sample_add(reader->sample, entry) || reader->result)
		return;
	reader->result = err_set(reader->err, EXIT_ERROR, ENOMEM, "top: out of memory");
}

/*
 * Adds an object that is not loaded or not readable. Returns false if the object is readable: the
 * caller then adds it.
 */
static bool add_absent(struct reader *reader, struct top_entry *entry, int result, struct err *err)
{
	if (!result) {
		reader->sample->is_loaded = true;
		return false;
	}
	snprintf(entry->state, sizeof(entry->state), "%s",
		 result == -ENOENT ? "not loaded" : "error");
	if (result != -ENOENT) {
		if (!err->code)
			err_set(err, EXIT_ERROR, -result, "%s: %s", entry->object,
				strerror(-result));
		reader->sample->is_loaded = true;
		entry->warns = true;
		text_plain_copy(entry->reason, sizeof(entry->reason), err->what);
		if (!reader->result) {
			reader->result = result;
			*reader->err = *err;
		}
	}
	add(reader, entry);
	return true;
}

static double percent(__u64 part, __u64 whole)
{
	return whole ? 100.0 * (double)part / (double)whole : NAN;
}

static void set_run_times(const struct reader *reader, struct top_entry *entry, __u64 run_ns,
			  __u64 runs)
{
	if (!reader->sample->has_run_times)
		return;
	entry->count[TOP_COUNT_RUN_NS] = run_ns;
	entry->count[TOP_COUNT_RUNS] = runs;
}

static void set_interfaces(struct top_entry *entry, int count, int gone)
{
	entry->warns = gone > 0;
	if (gone)
		snprintf(entry->state, sizeof(entry->state), "%d detached", gone);
	else
		snprintf(entry->state, sizeof(entry->state), "%d iface%s", count,
			 count == 1 ? "" : "s");
}

static void add_hooks(struct reader *reader, const char *object, const struct hook_state *hooks,
		      int count)
{
	int i;

	for (i = 0; i < count; i++) {
		struct top_entry entry = top_entry(TOP_PROGRAM, object, hooks[i].prog_name);

		entry.id = hooks[i].prog_id;
		entry.warns = !hooks[i].cgroup_id;
		snprintf(entry.state, sizeof(entry.state), "%s",
			 entry.warns ? "detached" : "attached");
		set_run_times(reader, &entry, hooks[i].run_ns, hooks[i].run_count);
		add(reader, &entry);
	}
}

/* --- reply */

static void read_reply(struct reader *reader)
{
	struct top_entry entry = top_entry(TOP_OBJECT, REPLY_OBJECT, REPLY_OBJECT);
	struct reply_state state = { 0 };
	const __u64 *counter = state.counters.value;
	struct err err = { 0 };
	int result = reply_read(reader->bpffs, &state, &err), i;
	__u64 live = 0, capacity;

	if (!result)
		result = reply_live_flows(reader->bpffs, &state.meta, &live);
	if (add_absent(reader, &entry, result, &err))
		return;
	snprintf(entry.state, sizeof(entry.state), "%s", reply_mode_name(state.meta.mode));
	for (i = 0; i < state.hook_count; i++)
		entry.warns |= !state.hooks[i].cgroup_id;
	if (entry.warns)
		snprintf(entry.state, sizeof(entry.state), "detached");
	capacity = (__u64)state.meta.sets * SLUICE_FLOW_WAYS;
	entry.flows = (double)live;
	entry.usage_percent = percent(live, capacity);
	entry.count[TOP_COUNT_EVENTS] =
		counter[SLUICE_REPLY_fixed] + counter[SLUICE_REPLY_fixed_other_port] +
		counter[SLUICE_REPLY_audit_right] + counter[SLUICE_REPLY_audit_wrong] +
		counter[SLUICE_REPLY_audit_other_port];
	entry.count[TOP_COUNT_NEW] = counter[SLUICE_REPLY_learned];
	entry.count[TOP_COUNT_LOST] = counter[SLUICE_REPLY_evicted];
	add(reader, &entry);
	add_hooks(reader, REPLY_OBJECT, state.hooks, state.hook_count);
}

/* --- wire */

/* The interfaces of a role share a program: add each program only once. */
static void add_wire_programs(struct reader *reader, const struct wire_iface *ifaces, int count)
{
	struct bpf_prog_info info;
	int i, k, out;

	for (out = 0; out < 2; out++)
		for (i = 0; i < count; i++) {
			struct top_entry entry;

			for (k = 0; k < i && ifaces[k].prog_id[out] != ifaces[i].prog_id[out];)
				k++;
			if (k < i || !ifaces[i].prog_id[out] ||
			    prog_info_by_id(ifaces[i].prog_id[out], &info))
				continue;
			entry = top_entry(TOP_PROGRAM, WIRE_OBJECT, info.name);
			entry.id = ifaces[i].prog_id[out];
			snprintf(entry.state, sizeof(entry.state), "attached");
			set_run_times(reader, &entry, info.run_time_ns, info.run_cnt);
			add(reader, &entry);
		}
}

static void read_wire(struct reader *reader)
{
	struct top_entry entry = top_entry(TOP_OBJECT, WIRE_OBJECT, WIRE_OBJECT);
	struct sluice_wire_counters counters = { 0 };
	struct sluice_wire_meta meta = { 0 };
	struct wire_iface *ifaces = NULL;
	struct err err = { 0 };
	int result = wire_meta(reader->bpffs, &meta, &err), count = 0, gone = 0, i;
	struct wire_state state = { .elsewhere = meta.netns != netdev_netns() };
	__u64 live = 0;

	if (!result)
		result = wire_read_counters(reader->bpffs, &counters, &err);
	if (!result)
		result = wire_ifaces(reader->bpffs, &ifaces, &count, &err);
	if (!result)
		result = wire_live_flows(reader->bpffs, &meta, &live);
	if (add_absent(reader, &entry, result, &err))
		goto out;
	for (i = 0; i < count; i++)
		gone += wire_is_gone(&state, &ifaces[i]);
	set_interfaces(&entry, count, gone);
	entry.netns = (__u32)meta.netns;
	entry.flows = (double)live;
	entry.usage_percent = percent(live, (__u64)meta.sets * SLUICE_FLOW_WAYS);
	entry.count[TOP_COUNT_EVENTS] = counters.value[SLUICE_WIRE_request_rewritten] +
					counters.value[SLUICE_WIRE_reply_rewritten];
	entry.count[TOP_COUNT_NEW] = counters.value[SLUICE_WIRE_half_open];
	entry.count[TOP_COUNT_LOST] = counters.value[SLUICE_WIRE_evicted] +
				      counters.value[SLUICE_WIRE_failed];
	add(reader, &entry);
	add_wire_programs(reader, ifaces, count);
out:
	free(ifaces);
}

/* --- steer */

static void add_worker(struct reader *reader, const struct steer_group_view *group,
		       const struct steer_slot_view *slot)
{
	const struct slot_status *status = &slot->status;
	struct top_entry entry = top_entry(TOP_WORKER, STEER_OBJECT, status->comm);

	entry.id = slot->record.cookie;
	entry.pid = (pid_t)status->pid;
	entry.netns = group->info.netns;
	entry.warns = status->closed || slot->stalled;
	snprintf(entry.state, sizeof(entry.state), "%s", steer_slot_state(slot));
	entry.flows = slot->flows;
	entry.count[TOP_COUNT_EVENTS] = slot->stats.datagrams;
	entry.count[TOP_COUNT_NEW] = slot->stats.flows;
	if (status->held) {
		entry.usage_percent = steer_queue_usage(status->queue_used, status->queue_room);
		entry.count[TOP_COUNT_LOST] = status->drops;
	}
	snprintf(entry.name + strlen(entry.name), sizeof(entry.name) - strlen(entry.name), " %u",
		 status->pid);
	add(reader, &entry);
}

static void add_group(struct reader *reader, const struct steer_view *view,
		      const struct steer_group_view *group)
{
	char name[STEER_GROUP_TEXT_MAX], label[sizeof(name) + NAME_MAX + 2];
	const struct steer_netns_view *netns = view->netns;
	struct top_entry entry;
	struct bpf_prog_info info;
	int i;

	/* the view contains the namespace of each of its groups */
	while (netns->netns != group->info.netns)
		netns++;
	snprintf(label, sizeof(label), "%s%s%s", steer_group_text(&group->info, name),
		 *netns->name ? " " : "", netns->name);
	entry = top_entry(TOP_GROUP, STEER_OBJECT, label);
	entry.id = group->info.loaded_ns;
	entry.netns = group->info.netns;
	entry.warns = group->not_joined > 0;
	if (entry.warns)
		snprintf(entry.state, sizeof(entry.state), "%d unjoined", group->not_joined);
	else
		snprintf(entry.state, sizeof(entry.state), "%d worker%s", group->count,
			 group->count == 1 ? "" : "s");
	entry.flows = (double)group->live + group->half_open;
	entry.usage_percent = percent((__u64)group->live + group->half_open, group->size);
	entry.count[TOP_COUNT_EVENTS] = group->datagrams;
	entry.count[TOP_COUNT_NEW] = group->counters[SLUICE_STEER_started];
	entry.count[TOP_COUNT_LOST] = group->counters[STEER_DRAIN_UNREAD];
	if (!prog_info_by_id(group->info.prog_id, &info))
		set_run_times(reader, &entry, info.run_time_ns, info.run_cnt);
	add(reader, &entry);
	for (i = 0; i < group->count; i++)
		add_worker(reader, group, &group->slots[i]);
}

/* The programs of all interfaces share their counters. */
static void add_spread(struct reader *reader)
{
	struct top_entry entry = top_entry(TOP_PROGRAM, STEER_OBJECT, "XDP spread");
	__u64 run_ns = 0, runs = 0;
	struct bpf_prog_info info;
	struct spread xdp;
	__u32 i, k, gone = 0;

	if (spread_read(reader->bpffs, &xdp, &(struct err){ 0 }))
		return;
	for (i = 0; i < xdp.meta.link_count; i++) {
		gone += xdp.gone[i];
		for (k = 0; k < i && xdp.prog_id[k] != xdp.prog_id[i];)
			k++;
		if (k < i || prog_info_by_id(xdp.prog_id[i], &info))
			continue;
		run_ns += info.run_time_ns;
		runs += info.run_cnt;
	}
	set_interfaces(&entry, (int)xdp.meta.link_count, (int)gone);
	set_run_times(reader, &entry, run_ns, runs);
	entry.count[TOP_COUNT_EVENTS] = xdp.counters.value[SLUICE_SPREAD_spread] +
					xdp.counters.value[SLUICE_SPREAD_stayed];
	entry.count[TOP_COUNT_LOST] = xdp.counters.value[SLUICE_SPREAD_lost];
	add(reader, &entry);
}

static void read_steer(struct reader *reader)
{
	struct top_entry entry = top_entry(TOP_OBJECT, STEER_OBJECT, STEER_OBJECT);
	struct steer_view view = { 0 };
	struct err err = { 0 };
	struct steer_view *last = &reader->source->steer;
	struct steer_ended *ended;
	int result = steer_view_read(reader->bpffs, last->at_ns ? last : NULL, &view, &err);
	size_t ended_count = steer_ended_read(reader->bpffs, &ended), i;
	__u64 live = 0, size = 0;

	steer_view_free(last);

	if (add_absent(reader, &entry, result, &err)) {
		steer_view_free(&view);
		free(ended);
		return;
	}
	snprintf(entry.state, sizeof(entry.state), "%s", steer_policy_name(view.meta.policy));
	entry.count[TOP_COUNT_EVENTS] = entry.count[TOP_COUNT_NEW] = 0;
	/* the sum must not fall when a server ends */
	for (i = 0; i < ended_count; i++) {
		entry.count[TOP_COUNT_EVENTS] += steer_datagrams(ended[i].counters);
		entry.count[TOP_COUNT_NEW] += ended[i].counters[SLUICE_STEER_started];
	}
	free(ended);
	for (i = 0; i < view.count; i++) {
		const struct steer_group_view *group = &view.groups[i];

		live += group->live + group->half_open;
		size += group->size;
		entry.count[TOP_COUNT_EVENTS] += group->datagrams;
		entry.count[TOP_COUNT_NEW] += group->counters[SLUICE_STEER_started];
	}
	entry.warns = view.outside.groups || view.outside.left_out;
	if (entry.warns)
		snprintf(entry.state, sizeof(entry.state), "%d left out",
			 view.outside.groups + view.outside.left_out);
	entry.flows = (double)live;
	entry.usage_percent = percent(live, size);
	add(reader, &entry);
	for (i = 0; i < view.count; i++)
		add_group(reader, &view, &view.groups[i]);
	add_spread(reader);
	*last = view;
}

/* --- hold */

static void read_hold(struct reader *reader)
{
	struct top_entry entry = top_entry(TOP_OBJECT, HOLD_OBJECT, HOLD_OBJECT);
	struct hold_usage usage = { 0 };
	struct hold_state state = { 0 };
	const __u64 *tracked = state.counters.value, *sent = state.status.counters.value;
	struct err err = { 0 };
	int result = hold_view_state(reader->bpffs, &state, &err);

	if (!result)
		result = hold_usage_read(reader->bpffs, &usage);
	if (add_absent(reader, &entry, result, &err))
		return;
	entry.warns = state.detached || !state.sending;
	snprintf(entry.state, sizeof(entry.state), "%s",
		 state.detached	 ? "detached"
		 : state.sending ? "sending"
				 : "not sending");
	entry.flows = (double)usage.used;
	entry.usage_percent = percent(usage.used, usage.table);
	entry.count[TOP_COUNT_EVENTS] = sent[SLUICE_HOLD_SEND_sent] +
					sent[SLUICE_HOLD_SEND_renewed];
	entry.count[TOP_COUNT_NEW] = tracked[SLUICE_HOLD_flows];
	entry.count[TOP_COUNT_LOST] = tracked[SLUICE_HOLD_table_full] +
				      tracked[SLUICE_HOLD_no_socket] +
				      sent[SLUICE_HOLD_SEND_send_failed];
	add(reader, &entry);
	add_hooks(reader, HOLD_OBJECT, state.hooks, state.hook_count);
}

/* --- rendezvous */

static __u64 count_of(const json_t *counters, const char *const *keys)
{
	__u64 count = 0;

	for (; *keys; keys++)
		count += (__u64)json_integer_value(json_object_get(counters, *keys));
	return count;
}

/* Adds a server from the head of its answer. The answer comes from another process. */
static void add_server(struct reader *reader, struct top_entry *entry, const json_t *document)
{
	static const char *const answered[] = {
		"binding", "registered", "refreshed", "unregistered", "connects", "challenged", NULL
	};
	static const char *const answered_xdp[] = { "bindings", "refreshes", NULL };
	static const char *const registered[] = { "registered", NULL };
	static const char *const refused[] = { "refused",	    "refused_candidate",
					       "refused_connect",   "refused_stale",
					       "refused_limit",	    "bad_request",
					       "unanswered_budget", NULL };
	static const char *const dropped[] = { "dropped_budget", "aborted", NULL };
	const json_t *counters = json_object_get(document, "counters");
	const json_t *xdp = json_object_get(json_object_get(document, "xdp"), "counters");
	const json_t *registrations = json_object_get(document, "registrations");
	double count = json_number_value(json_object_get(registrations, "count"));
	double limit = json_number_value(json_object_get(registrations, "limit"));
	bool ready = json_is_true(json_object_get(document, "ready"));

	entry->pid = (pid_t)json_integer_value(json_object_get(document, "pid"));
	entry->id = (__u64)entry->pid;
	entry->warns = !ready;
	snprintf(entry->state, sizeof(entry->state), "%s", ready ? "ready" : "draining");
	entry->flows = count;
	entry->usage_percent = limit > 0 ? 100 * count / limit : NAN;
	entry->count[TOP_COUNT_EVENTS] = count_of(counters, answered) + count_of(xdp, answered_xdp);
	entry->count[TOP_COUNT_NEW] = count_of(counters, registered);
	entry->count[TOP_COUNT_LOST] = count_of(counters, refused) + count_of(xdp, dropped);
	add(reader, entry);
}

/* Queries the server of a status socket. Returns false if no server is running. */
static bool read_server(struct reader *reader, const char *file)
{
	int length = (int)(strlen(file) - strlen(".sock"));
	char name[NAME_MAX + 1], label[sizeof(RENDEZVOUS) + sizeof(name)];
	struct local_answer answer;
	struct sockaddr_un address;
	struct top_entry entry;

	snprintf(name, sizeof(name), "%.*s", length, file);
	snprintf(label, sizeof(label), RENDEZVOUS " %s", name);
	entry = top_entry(TOP_OBJECT, RENDEZVOUS, label);
	status_address(name, &address);
	local_socket_ask_head(&address, RENDEZVOUS_WAIT_US, RENDEZVOUS_MAX, "registered", &answer);
	if (answer.document) {
		add_server(reader, &entry, answer.document);
		json_decref(answer.document);
		return true;
	}
	if (answer.error == ENOENT || answer.error == ECONNREFUSED)
		return false;
	snprintf(entry.state, sizeof(entry.state), "error");
	text_plain_copy(entry.reason, sizeof(entry.reason), answer.reason);
	entry.warns = true;
	add(reader, &entry);
	return true;
}

/* Returns true for status sockets, except those of daemons. */
static int is_server(const struct dirent *entry)
{
	const char *end = strrchr(entry->d_name, '.');

	return end && !strcmp(end, ".sock") && strncmp(entry->d_name, "run-", 4) != 0;
}

static void read_rendezvous(struct reader *reader)
{
	struct top_entry none = top_entry(TOP_OBJECT, RENDEZVOUS, RENDEZVOUS);
	struct dirent **entry = NULL;
	int i, count = scandir(LOCAL_SOCKET_DIR, &entry, is_server, alphasort);
	bool any = false;

	for (i = 0; i < count; i++) {
		any |= read_server(reader, entry[i]->d_name);
		free(entry[i]);
	}
	free(entry);
	if (any)
		return;
	snprintf(none.state, sizeof(none.state), "not running");
	add(reader, &none);
}

int top_sample_read(struct top_source *source, struct top_sample *sample, struct err *err)
{
	struct reader reader = {
		.source = source, .bpffs = source->bpffs, .sample = sample, .err = err
	};
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	*sample = (struct top_sample){ .at_ns = clock_now_ns(CLOCK_MONOTONIC),
				       .time_s = (double)now.tv_sec + (double)now.tv_nsec / 1e9,
				       .daemon = daemon_lock_holder(source->bpffs),
				       .has_run_times = source->has_run_times };
	read_reply(&reader);
	read_wire(&reader);
	read_steer(&reader);
	read_hold(&reader);
	read_rendezvous(&reader);
	return reader.result;
}

void top_source_free(struct top_source *source)
{
	steer_view_free(&source->steer);
}
