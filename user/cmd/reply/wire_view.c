// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmd/reply/wire_view.h"

#include "base/addr.h"
#include "base/clock.h"
#include "base/counters.h"
#include "base/ports.h"
#include "base/text.h"
#include "cmd/reply/view.h"
#include "kernel/tc.h"

#include <net/if.h>
#include <string.h>

static const struct counter counters[] = { SLUICE_WIRE_COUNTERS(COUNTER) };

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

void wire_view_result(const struct wire_options *options, const struct wire_result *result,
		      const char *outcome, const struct output *output)
{
	static char ports[PORTS_TEXT_MAX];
	char name[IF_NAMESIZE];
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
			document,
			json_pack("{s:s, s:s, s:s, s:s, s:i, s:I, s:o}", "outcome", outcome, "mode",
				  "wire", "ports", ports, "attached_by",
				  wire_attach_mode_name(result->attach_mode), "verified_insns",
				  result->verified_insns, "routes_left_out",
				  (json_int_t)result->routes_left_out, "interfaces", ifaces));
		output_json(output, document);
		return;
	}
	fprintf(output->file, "reply: %s: mode wire, ports %s, %d interface%s\n", outcome, ports,
		result->count, result->count == 1 ? "" : "s");
	reply_view_table_change(result->sets_before, options->table, output);
	table = table_new("interface|role|kind|attached by");
	for (i = 0; i < result->count; i++)
		table_row(table, "%s|%s|%s|%s", name_text(&result->ifaces[i], name),
			  role_text(result->ifaces[i].entry.roles),
			  header_text(result->ifaces[i].entry.roles),
			  wire_attach_mode_name(result->ifaces[i].entry.attach_mode));
	table_print(table, output, 2);
}

/* --- the loaded object */

static void ports_text(const struct sluice_wire_meta *meta, char *text, size_t size)
{
	struct ports ports;

	ports.any = meta->any_port;
	memcpy(ports.bit, meta->ports, sizeof(ports.bit));
	ports_format(&ports, text, size);
}

json_t *wire_view_json(const struct wire_state *state)
{
	const struct sluice_wire_meta *meta = &state->meta;
	json_t *ifaces = json_array(), *except = json_array();
	static char ports[PORTS_TEXT_MAX];
	char addr[ADDR_TEXT_MAX];
	int i;

	for (i = 0; i < state->except.count; i++)
		json_array_append_new(except,
				      json_string(addr_format(&state->except.addr[i], addr)));
	for (i = 0; i < state->count; i++) {
		const struct wire_iface *iface = &state->ifaces[i];
		json_t *object = iface_json(iface);

		json_object_update_new(object, json_pack("{s:i, s:i, s:b}", "ingress_program_id",
							 iface->prog_id[0], "egress_program_id",
							 iface->prog_id[1], "gone",
							 wire_is_gone(state, iface)));
		json_array_append_new(ifaces, object);
	}
	ports_text(meta, ports, sizeof(ports));
	return json_pack("{s:s, s:s, s:b, s:I, s:b, s:f, s:I, s:{s:i, s:i, s:i}, s:o, s:o, s:o}",
			 "mode", "wire", "ports", ports, "complete", meta->state == SLUICE_LOADED,
			 "netns", (json_int_t)meta->netns, "other_netns", state->elsewhere,
			 "loaded_for_s",
			 (double)(clock_now_ns(CLOCK_REALTIME) - meta->loaded_ns) / 1e9, "age_s",
			 (json_int_t)(meta->age_ns / 1000000000ULL), "flows", "live",
			 state->usage.live, "expired", state->usage.expired, "size",
			 state->usage.size, "except", except, "interfaces", ifaces, "counters",
			 counters_json(counters, state->counters.value, SLUICE_WIRE_COUNTERS_MAX));
}

void wire_view_text(const struct wire_state *state, const struct output *output)
{
	const struct sluice_wire_meta *meta = &state->meta;
	struct table *table =
		table_new("interface|role|kind|attached by|>ingress prog|>egress prog");
	char ports[256], age[24], addr[ADDR_TEXT_MAX], name[IF_NAMESIZE];
	int i;

	ports_text(meta, ports, sizeof(ports));
	fprintf(output->file, "reply: mode wire, ports %s, loaded %s ago%s\n", ports,
		age_format(clock_now_ns(CLOCK_REALTIME) - meta->loaded_ns, age),
		state->elsewhere ? ", in another network namespace" : "");
	reply_view_table(&state->usage, meta->age_ns, meta->state == SLUICE_LOADED, output);
	for (i = 0; i < state->except.count; i++)
		fprintf(output->file, "%s%s", i ? ", " : "  except  ",
			addr_format(&state->except.addr[i], addr));
	if (state->except.count)
		fputc('\n', output->file);
	for (i = 0; i < state->count; i++) {
		const struct wire_iface *iface = &state->ifaces[i];

		table_row(table, "%s%s|%s|%s|%s|%u|%u", name_text(iface, name),
			  wire_is_gone(state, iface) ? " (gone)" : "",
			  role_text(iface->entry.roles), header_text(iface->entry.roles),
			  wire_attach_mode_name(iface->entry.attach_mode), iface->prog_id[0],
			  iface->prog_id[1]);
	}
	table_print(table, output, 2);
	counters_text(counters, state->counters.value, SLUICE_WIRE_COUNTERS_MAX, output);
}

/* --- the order of all programs on a hook */

static char *hook_text(const struct wire_iface *iface, bool out, char text[32])
{
	snprintf(text, 32, "%s/%s", iface->entry.name, out ? "egress" : "ingress");
	return text;
}

json_t *wire_order_json(const struct wire_state *state)
{
	struct hook_prog progs[HOOK_PROGS_MAX];
	json_t *hooks = json_array();
	char hook[32];
	int i, out;

	for (i = 0; !state->elsewhere && i < state->count; i++)
		for (out = 0; out < 2; out++) {
			const struct wire_iface *iface = &state->ifaces[i];

			json_array_append_new(
				hooks, hook_order_json(output_name(hook_text(iface, out, hook)),
						       progs, tc_order(iface->ifindex, out, progs),
						       iface->prog_id[out]));
		}
	return hooks;
}

void wire_order_text(const struct wire_state *state, const struct output *output)
{
	struct table *table = table_new(HOOK_ORDER_COLUMNS);
	struct hook_prog progs[HOOK_PROGS_MAX];
	char hook[32];
	int i, out;

	for (i = 0; !state->elsewhere && i < state->count; i++)
		for (out = 0; out < 2; out++) {
			const struct wire_iface *iface = &state->ifaces[i];

			hook_order_row(table, text_plain(hook_text(iface, out, hook), sizeof(hook)),
				       progs, tc_order(iface->ifindex, out, progs),
				       iface->prog_id[out]);
		}
	table_print(table, output, 2);
}
