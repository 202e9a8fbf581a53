// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmd/reply/view.h"

#include "base/addr.h"
#include "base/clock.h"
#include "base/ports.h"
#include "base/text.h"
#include "cli/counters.h"
#include "host/cleanup.h"
#include "kernel/mounts.h"
#include "kernel/pins.h"
#include "net/netns_names.h"

#include <errno.h>
#include <inttypes.h>
#include <net/if.h>
#include <sluice/meta.h>
#include <string.h>

static const struct counter reply_counters[] = { SLUICE_REPLY_COUNTERS(COUNTER) };
static const struct counter wire_counters[] = { SLUICE_WIRE_COUNTERS(COUNTER) };

void reply_view_table_change(__u32 sets_before, __u32 flows, const struct output *output)
{
	__u32 sets = (flows + SLUICE_FLOW_WAYS - 1) / SLUICE_FLOW_WAYS;

	if (sets_before && sets_before != sets)
		fprintf(output->file,
			"  table: %u flows before, %u now: it starts empty, and replies"
			" to earlier requests are left alone\n",
			sets_before * SLUICE_FLOW_WAYS, sets * SLUICE_FLOW_WAYS);
}

static json_t *usage_json(const struct flow_table_usage *usage)
{
	return json_pack("{s:i, s:i, s:i, s:I}", "live", usage->live, "expired", usage->expired,
			 "size", usage->size, "bytes", (json_int_t)usage->bytes);
}

static json_t *reply_view_json(const struct reply_view *view)
{
	const struct sluice_reply_meta *meta = &view->state.meta;
	static char text[PORTS_TEXT_MAX];
	json_t *hooks = json_array();
	struct ports ports;
	int i;

	for (i = 0; i < view->state.hook_count; i++) {
		const struct hook_state *hook = &view->state.hooks[i];

		json_array_append_new(hooks, json_pack("{s:s, s:s, s:i, s:i, s:I, s:b, s:I, s:I}",
						       "hook", hook_type_name(hook->attach_type),
						       "program", hook->prog_name, "program_id",
						       hook->prog_id, "link_id", hook->link_id,
						       "cgroup_id", (json_int_t)hook->cgroup_id,
						       "attached", hook->cgroup_id != 0,
						       "run_time_ns", (json_int_t)hook->run_ns,
						       "run_count", (json_int_t)hook->run_count));
	}
	reply_ports(meta, &ports);
	ports_format(&ports, text, sizeof(text));
	return json_pack("{s:s, s:s, s:b, s:b, s:o, s:I, s:f, s:I, s:o, s:o, s:o}", "mode",
			 reply_mode_name(meta->mode), "ports", text, "any_peer_port",
			 !!meta->any_peer_port, "complete", meta->state == SLUICE_LOADED, "cgroup",
			 output_name(view->cgroup), "cgroup_id", (json_int_t)meta->cgroup_id,
			 "loaded_for_s",
			 (double)clock_since_ns(CLOCK_BOOTTIME, meta->loaded_ns) / 1e9, "age_s",
			 (json_int_t)(meta->age_ns / 1000000000ULL), "flows",
			 usage_json(&view->usage), "hooks", hooks, "counters",
			 counters_json(reply_counters, view->state.counters.value,
				       SLUICE_REPLY_COUNTERS_MAX));
}

/* Prints the usage of a flow table. @complete is false if the load was interrupted. */
static void reply_view_table(const struct flow_table_usage *usage, __u64 age_ns, bool complete,
			     const struct output *output)
{
	char bytes[24];

	fprintf(output->file,
		"  flows  %u live, %u expired, of %u (%s); used for %llus after a datagram\n",
		usage->live, usage->expired, usage->size, bytes_format(usage->bytes, bytes),
		age_ns / 1000000000ULL);
	if (!complete)
		fprintf(output->file,
			"  %sa load was interrupted: run it again, or 'sluice cleanup'%s\n",
			output_tone(output, OUTPUT_BAD), output_plain(output));
}

void reply_view_text(const struct reply_view *view, const struct output *output)
{
	const struct sluice_reply_meta *meta = &view->state.meta;
	struct table *table = table_new("hook|program|>prog id|>link id|>runs|>ns/run");
	char text[256], age[24], cgroup[PATH_MAX];
	struct ports ports;
	int i;

	reply_ports(meta, &ports);
	ports_format(&ports, text, sizeof(text));
	fprintf(output->file, "reply: mode %s, ports %s%s, loaded %s ago\n  cgroup %s\n",
		reply_mode_name(meta->mode), text, meta->any_peer_port ? ", any peer port" : "",
		age_format(clock_since_ns(CLOCK_BOOTTIME, meta->loaded_ns), age),
		text_plain_copy(cgroup, sizeof(cgroup), view->cgroup));
	if (view->detached)
		fprintf(output->file, "  %sdetached: %s%s\n", output_tone(output, OUTPUT_BAD),
			view->cgroup_gone
				? "the cgroup is gone; load it on another one, or unload it"
				: "by another process; load it again",
			output_plain(output));
	reply_view_table(&view->usage, meta->age_ns, meta->state == SLUICE_LOADED, output);
	for (i = 0; i < view->state.hook_count; i++) {
		const struct hook_state *hook = &view->state.hooks[i];
		char runs[32] = "-", cost[32] = "-";

		if (hook->run_count) {
			snprintf(runs, sizeof(runs), "%llu", hook->run_count);
			snprintf(cost, sizeof(cost), "%llu", hook->run_ns / hook->run_count);
		}
		table_row(table, "%s%s|%s|%u|%u|%s|%s", hook_type_name(hook->attach_type),
			  hook->cgroup_id ? "" : " (detached)", hook->prog_name, hook->prog_id,
			  hook->link_id, runs, cost);
	}
	table_print(table, output, 2);
	counters_text(reply_counters, view->state.counters.value, SLUICE_REPLY_COUNTERS_MAX,
		      output);
}

/* --- mode wire */

static const char *role_text(__u32 roles)
{
	if (roles & SLUICE_WIRE_HOST && roles & SLUICE_WIRE_GATEWAY)
		return "host+gateway";
	return roles & SLUICE_WIRE_GATEWAY ? "gateway" : "host";
}

static const char *header_text(__u32 roles)
{
	if (!(roles & SLUICE_WIRE_ETHERNET))
		return "ip";
	return roles & SLUICE_WIRE_PORT ? "bridge port" : "ethernet";
}

/* Returns the name of an interface, safe for a terminal. */
static const char *name_text(const struct wire_iface *iface, char text[IF_NAMESIZE])
{
	return text_plain_copy(text, IF_NAMESIZE, iface->entry.name);
}

static json_t *iface_json(const struct wire_iface *iface)
{
	return json_pack("{s:o, s:i, s:s, s:s, s:s, s:i}", "name", output_name(iface->entry.name),
			 "ifindex", iface->ifindex, "role", role_text(iface->entry.roles), "kind",
			 header_text(iface->entry.roles), "attached_by",
			 wire_attach_mode_name(iface->entry.attach_mode), "bridge_ifindex",
			 iface->entry.master);
}

static void ports_text(const struct sluice_wire_meta *meta, char *text, size_t size)
{
	struct ports ports;

	ports.any = meta->any_port;
	memcpy(ports.bit, meta->ports, sizeof(ports.bit));
	ports_format(&ports, text, size);
}

/* Returns the settings of the replaced load, or null if nothing was loaded. */
static json_t *before_json(const struct wire_result *result)
{
	const struct sluice_wire_meta *before = &result->before;
	static char ports[PORTS_TEXT_MAX];
	json_t *servers;
	char addr[ADDR_TEXT_MAX];
	int i;

	if (!before->magic)
		return json_null();
	servers = json_array();
	for (i = 0; i < result->servers_before.count; i++)
		json_array_append_new(
			servers, json_string(addr_format(&result->servers_before.addr[i], addr)));
	ports_text(before, ports, sizeof(ports));
	return json_pack("{s:s, s:o, s:o, s:I, s:i}", "ports", ports, "interfaces",
			 output_name(result->ifaces_before), "servers", servers, "age_s",
			 (json_int_t)(before->age_ns / 1000000000ULL), "table",
			 before->sets * SLUICE_FLOW_WAYS);
}

static void before_text(const struct wire_result *result, const struct output *output)
{
	const struct sluice_wire_meta *before = &result->before;
	char ports[256], ifaces[sizeof(result->ifaces_before)], addr[ADDR_TEXT_MAX];
	int i;

	ports_text(before, ports, sizeof(ports));
	fprintf(output->file, "  before: ports %s, interfaces %s, age %llu, table %u", ports,
		text_plain_copy(ifaces, sizeof(ifaces), result->ifaces_before),
		before->age_ns / 1000000000ULL, before->sets * SLUICE_FLOW_WAYS);
	for (i = 0; i < result->servers_before.count; i++)
		fprintf(output->file, "%s%s", i ? "," : ", server ",
			addr_format(&result->servers_before.addr[i], addr));
	fputc('\n', output->file);
}

void wire_view_result(const struct wire_options *options, const struct wire_result *result,
		      const char *outcome, const struct output *output)
{
	__u64 table_bytes = wire_table_bytes(options->table);
	static char ports[PORTS_TEXT_MAX];
	char name[IF_NAMESIZE], bytes[24];
	json_t *document, *ifaces;
	struct table *table;
	int i;

	ports_format(&options->ports, ports, sizeof(ports));
	if (output->json) {
		document = output_document();
		ifaces = json_array();
		for (i = 0; i < result->count; i++)
			json_array_append_new(ifaces, iface_json(&result->ifaces[i]));
		json_object_update_new(
			document, json_pack("{s:s, s:s, s:s, s:I, s:I, s:s, s:i, s:o, s:o, s:o}",
					    "outcome", outcome, "mode", "wire", "ports", ports,
					    "table", (json_int_t)options->table, "table_bytes",
					    (json_int_t)table_bytes, "attached_by",
					    wire_attach_mode_name(result->attach_mode),
					    "verified_insns", result->verified_insns, "interfaces",
					    ifaces, "before", before_json(result), "replaces_abi",
					    output_nonzero(result->replaces)));
		output_json(output, document);
		return;
	}
	fprintf(output->file,
		"reply: %s: mode wire, ports %s, %d interface%s, table of %u flows (%s)\n", outcome,
		ports, result->count, result->count == 1 ? "" : "s", options->table,
		bytes_format(table_bytes, bytes));
	if (result->before.magic && !result->as_before)
		before_text(result, output);
	reply_view_table_change(result->before.sets, options->table, output);
	table = table_new("interface|role|kind|attached by");
	for (i = 0; i < result->count; i++)
		table_row(table, "%s|%s|%s|%s", name_text(&result->ifaces[i], name),
			  role_text(result->ifaces[i].entry.roles),
			  header_text(result->ifaces[i].entry.roles),
			  wire_attach_mode_name(result->ifaces[i].entry.attach_mode));
	table_print(table, output, 2);
}

/* --- the loaded object */

static json_t *wire_view_json(const struct wire_state *state)
{
	const struct sluice_wire_meta *meta = &state->meta;
	json_t *ifaces = json_array(), *object;
	static char ports[PORTS_TEXT_MAX];
	int i;

	for (i = 0; i < state->count; i++) {
		const struct wire_iface *iface = &state->ifaces[i];
		json_t *entry = iface_json(iface);

		json_object_update_new(entry, json_pack("{s:i, s:i, s:b}", "ingress_program_id",
							iface->prog_id[0], "egress_program_id",
							iface->prog_id[1], "gone",
							wire_is_gone(state, iface)));
		json_array_append_new(ifaces, entry);
	}
	ports_text(meta, ports, sizeof(ports));
	object = json_pack(
		"{s:s, s:s, s:b, s:b, s:f, s:I, s:o, s:o, s:o}", "mode", "wire", "ports", ports,
		"complete", meta->state == SLUICE_LOADED, "other_netns", state->elsewhere,
		"loaded_for_s", (double)clock_since_ns(CLOCK_BOOTTIME, meta->loaded_ns) / 1e9,
		"age_s", (json_int_t)(meta->age_ns / 1000000000ULL), "flows",
		usage_json(&state->usage), "interfaces", ifaces, "counters",
		counters_json(wire_counters, state->counters.value, SLUICE_WIRE_COUNTERS_MAX));
	netns_names_json(NULL, (__u32)meta->netns, object);
	return object;
}

void wire_view_text(const struct wire_state *state, const struct output *output)
{
	const struct sluice_wire_meta *meta = &state->meta;
	struct table *table =
		table_new("interface|role|kind|attached by|>ingress prog|>egress prog");
	char ports[256], age[24], name[IF_NAMESIZE], netns[NETNS_TEXT_MAX];
	int i;

	ports_text(meta, ports, sizeof(ports));
	fprintf(output->file, "reply: mode wire, ports %s, loaded %s ago, in netns %s%s\n", ports,
		age_format(clock_since_ns(CLOCK_BOOTTIME, meta->loaded_ns), age),
		netns_text((__u32)meta->netns, netns), state->elsewhere ? ", not this one" : "");
	reply_view_table(&state->usage, meta->age_ns, meta->state == SLUICE_LOADED, output);
	for (i = 0; i < state->count; i++) {
		const struct wire_iface *iface = &state->ifaces[i];

		table_row(table, "%s%s|%s|%s|%s|%u|%u", name_text(iface, name),
			  wire_is_gone(state, iface) ? " (gone)" : "",
			  role_text(iface->entry.roles), header_text(iface->entry.roles),
			  wire_attach_mode_name(iface->entry.attach_mode), iface->prog_id[0],
			  iface->prog_id[1]);
	}
	table_print(table, output, 2);
	counters_text(wire_counters, state->counters.value, SLUICE_WIRE_COUNTERS_MAX, output);
}

/* --- both objects */

/*
 * Finds the cgroup of the hooks. Also reports if it no longer exists: its removal detaches the
 * links.
 */
static void cgroup_read(struct reply_view *view, const char *bpffs)
{
	const struct sluice_reply_meta *meta = &view->state.meta;
	__u64 id = meta->cgroup_id;
	int result = mounts_cgroup2_path(id, view->cgroup);

	view->detached = meta->state == SLUICE_LOADED && !reply_attached(bpffs, meta);
	view->cgroup_gone = result && view->detached;
	if (view->cgroup_gone)
		snprintf(view->cgroup, sizeof(view->cgroup), "(gone)");
	else if (result)
		snprintf(view->cgroup, sizeof(view->cgroup), "(id %llu, not visible here)", id);
}

static int reply_view_read(const char *bpffs, struct reply_view *view, struct err *err)
{
	int result = reply_read(bpffs, &view->state, err);

	if (!result)
		result = reply_flows(bpffs, &view->usage, NULL, NULL, err);
	if (!result)
		cgroup_read(view, bpffs);
	return result;
}

void reply_loaded_read_each(const char *bpffs, struct reply_loaded *loaded, struct err *reply_err,
			    struct err *wire_err)
{
	*loaded = (struct reply_loaded){ .has_reply = false };
	if (pins_exist(bpffs, "reply", reply_err) > 0)
		loaded->has_reply = !reply_view_read(bpffs, &loaded->reply, reply_err);
	if (pins_exist(bpffs, "wire", wire_err) > 0)
		loaded->has_wire = !wire_read(bpffs, &loaded->wire, wire_err);
}

int reply_loaded_read(const char *bpffs, struct reply_loaded *loaded, struct err *err)
{
	struct err reply_err = { 0 }, wire_err = { 0 };

	reply_loaded_read_each(bpffs, loaded, &reply_err, &wire_err);
	if (!reply_err.code && !wire_err.code)
		return 0;
	*err = reply_err.code ? reply_err : wire_err;
	return -EIO;
}

void reply_loaded_free(struct reply_loaded *loaded)
{
	wire_state_free(&loaded->wire);
}

int reply_loaded_none(const char *bpffs, const char *hint, struct err *err)
{
	err_hint(err,
		 err_set(err, EXIT_ERROR, ENOENT, "reply is not loaded (no %s/reply, no %s/wire)",
			 bpffs, bpffs),
		 "%s", hint);
	cleanup_hint_elsewhere(bpffs, err);
	return -ENOENT;
}

void reply_loaded_json(const struct reply_loaded *loaded, json_t *document)
{
	json_t *reply = loaded->has_reply ? reply_view_json(&loaded->reply) : json_null();

	if (loaded->has_reply) {
		json_object_set_new(reply, "detached", json_boolean(loaded->reply.detached));
		json_object_set_new(reply, "cgroup_gone", json_boolean(loaded->reply.cgroup_gone));
	}
	json_object_set_new(document, "reply", reply);
	json_object_set_new(document, "wire",
			    loaded->has_wire ? wire_view_json(&loaded->wire) : json_null());
}

void reply_loaded_text(const struct reply_loaded *loaded, const struct output *output)
{
	if (loaded->has_reply)
		reply_view_text(&loaded->reply, output);
	if (loaded->has_wire)
		wire_view_text(&loaded->wire, output);
}
