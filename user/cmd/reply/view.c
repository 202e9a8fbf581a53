// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmd/reply/view.h"

#include "base/clock.h"
#include "base/counters.h"
#include "base/text.h"

#include <inttypes.h>
#include <string.h>

static const struct counter counters[] = { SLUICE_REPLY_COUNTERS(COUNTER) };

int reply_view_read(const char *bpffs, struct reply_view *view, struct err *err)
{
	int result = reply_read(bpffs, &view->state, err);

	if (!result)
		result = reply_flows(bpffs, &view->fill, NULL, NULL, err);
	if (!result && reply_cgroup_path(view->state.meta.cgroup_id, view->cgroup))
		snprintf(view->cgroup, sizeof(view->cgroup), "(gone)");
	return result;
}

void reply_view_table_change(__u32 sets_before, __u32 flows, const struct output *output)
{
	__u32 sets = (flows + SLUICE_FLOW_WAYS - 1) / SLUICE_FLOW_WAYS;

	if (sets_before && sets_before != sets)
		fprintf(output->file,
			"  table: %u flows before, %u now: it starts empty, and answers to earlier"
			" requests are left alone\n",
			sets_before * SLUICE_FLOW_WAYS, sets * SLUICE_FLOW_WAYS);
}

static json_t *hooks_json(const struct reply_state *state)
{
	json_t *hooks = json_array();
	int i;

	for (i = 0; i < state->hook_count; i++) {
		const struct hook_state *hook = &state->hooks[i];

		json_array_append_new(hooks, json_pack("{s:s, s:s, s:i, s:i, s:I, s:I, s:I}",
						       "hook", hook_type_name(hook->attach_type),
						       "program", hook->prog_name, "program_id",
						       hook->prog_id, "link_id", hook->link_id,
						       "cgroup_id", (json_int_t)hook->cgroup_id,
						       "run_time_ns", (json_int_t)hook->run_ns,
						       "run_count", (json_int_t)hook->run_count));
	}
	return hooks;
}

json_t *hook_order_json(json_t *hook, const struct hook_prog *progs, int count, __u32 ours)
{
	json_t *order = json_array();
	int i;

	for (i = 0; i < count; i++)
		json_array_append_new(order, json_pack("{s:i, s:o, s:b}", "program_id", progs[i].id,
						       "program", output_name(progs[i].name), "own",
						       progs[i].id == ours));
	return json_pack("{s:o, s:o}", "hook", hook, "order", order);
}

void hook_order_row(struct table *table, const char *hook, const struct hook_prog *progs, int count,
		    __u32 ours)
{
	char list[1024] = "";
	size_t used = 0;
	int i;

	for (i = 0; i < count && used < sizeof(list); i++)
		used += (size_t)snprintf(list + used, sizeof(list) - used,
					 progs[i].id == ours ? "%s[%s #%u]" : "%s%s #%u",
					 i ? " -> " : "", progs[i].name, progs[i].id);
	table_row(table, "%s|%s", hook, text_plain(list, sizeof(list)));
}

json_t *reply_view_json(const struct reply_view *view)
{
	const struct sluice_reply_meta *meta = &view->state.meta;
	struct ports ports;
	static char text[PORTS_TEXT_MAX];

	reply_ports(meta, &ports);
	ports_format(&ports, text, sizeof(text));
	return json_pack(
		"{s:s, s:s, s:b, s:o, s:I, s:f, s:I, s:{s:i, s:i, s:i}, s:o, s:o}", "mode",
		reply_mode_name(meta->mode), "ports", text, "complete",
		meta->state == SLUICE_LOADED, "cgroup", output_name(view->cgroup), "cgroup_id",
		(json_int_t)meta->cgroup_id, "loaded_for_s",
		(double)(clock_now_ns(CLOCK_REALTIME) - meta->loaded_ns) / 1e9, "age_s",
		(json_int_t)(meta->age_ns / 1000000000ULL), "flows", "live", view->fill.live,
		"expired", view->fill.expired, "size", view->fill.size, "hooks",
		hooks_json(&view->state), "counters",
		counters_json(counters, view->state.counters.value, SLUICE_REPLY_COUNTERS_MAX));
}

static void hooks_text(const struct reply_state *state, const struct output *output)
{
	struct table *table = table_new("hook|program|>prog id|>link id|>runs|>ns/run");
	int i;

	for (i = 0; i < state->hook_count; i++) {
		const struct hook_state *hook = &state->hooks[i];
		char runs[32] = "-", cost[32] = "-";

		if (hook->run_count) {
			snprintf(runs, sizeof(runs), "%llu", hook->run_count);
			snprintf(cost, sizeof(cost), "%llu", hook->run_ns / hook->run_count);
		}
		table_row(table, "%s|%s|%u|%u|%s|%s", hook_type_name(hook->attach_type),
			  hook->prog_name, hook->prog_id, hook->link_id, runs, cost);
	}
	table_print(table, output, 2);
}

void reply_view_text(const struct reply_view *view, const struct output *output)
{
	const struct sluice_reply_meta *meta = &view->state.meta;
	struct ports ports;
	char text[256], age[24], cgroup[PATH_MAX];

	reply_ports(meta, &ports);
	ports_format(&ports, text, sizeof(text));
	fprintf(output->file, "reply: mode %s, ports %s, loaded %s ago\n",
		reply_mode_name(meta->mode), text,
		age_format(clock_now_ns(CLOCK_REALTIME) - meta->loaded_ns, age));
	fprintf(output->file, "  cgroup %s\n",
		text_plain_copy(cgroup, sizeof(cgroup), view->cgroup));
	fprintf(output->file,
		"  flows  %u live, %u expired, of %u; used for %llus after a datagram\n",
		view->fill.live, view->fill.expired, view->fill.size, meta->age_ns / 1000000000ULL);
	if (meta->state != SLUICE_LOADED)
		fprintf(output->file,
			"  %sa load was interrupted: run it again, or 'sluice cleanup'%s\n",
			output_tone(output, OUTPUT_BAD), output_plain(output));
	hooks_text(&view->state, output);
	counters_text(counters, view->state.counters.value, SLUICE_REPLY_COUNTERS_MAX, output);
}
