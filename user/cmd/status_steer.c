// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmd/status_steer.h"

#include "base/ports.h"
#include "base/text.h"
#include "kernel/pins.h"
#include "net/netns_names.h"
#include "steer/events.h"

#include <errno.h>

/* Fault counters; each is 0 on a healthy host. */
static const int faults[] = {
	SLUICE_STEER_unrecorded,       SLUICE_STEER_half_open_lost,
	SLUICE_STEER_lapsed_lost,      SLUICE_STEER_moved_gone,
	SLUICE_STEER_moved_drained,    SLUICE_STEER_all_full,
	SLUICE_STEER_kernel_no_worker, SLUICE_STEER_kernel_header,
	SLUICE_STEER_kernel_refused,   STEER_DRAIN_UNREAD,
};
#define FAULTS (sizeof(faults) / sizeof(*faults))

int status_steer_read(const char *bpffs, struct steer_view *view, bool *loaded, struct err *err)
{
	int result = pins_exist(bpffs, "steer", err);

	*view = (struct steer_view){ 0 };
	*loaded = result > 0;
	return result > 0 ? steer_view_read(bpffs, NULL, view, err) : result;
}

/* Sums a counter over the groups. */
static __u64 counter_sum(const struct steer_view *view, int counter)
{
	__u64 sum = 0;
	size_t i;

	for (i = 0; i < view->count; i++)
		sum += view->groups[i].counters[counter];
	return sum;
}

static const char *ports_text(const struct steer_view *view, char *text, size_t size)
{
	struct ports ports;

	steer_ports(&view->meta, &ports);
	ports_format(&ports, text, size);
	return text;
}

void status_steer_text(const struct steer_view *view, const struct output *output)
{
	struct table *groups = table_new("group|netns|policy|>program|>open|>closed|>active|>flows|"
					 ">of|>memory|>datagrams|>imbalance");
	struct table *counters = table_new(">count|counter|meaning");
	char ports[256], name[STEER_GROUP_TEXT_MAX], netns[NETNS_TEXT_MAX], imbalance[16],
		bytes[24];
	__u64 all_bytes = 0;
	size_t i;

	for (i = 0; i < view->count; i++)
		all_bytes += view->groups[i].table_bytes;
	fprintf(output->file, "steer: policy %s, ports %s, %zu group%s, flow tables of %s\n",
		steer_policy_name(view->meta.policy), ports_text(view, ports, sizeof(ports)),
		view->count, view->count == 1 ? "" : "s", bytes_format(all_bytes, bytes));
	if (!view->count)
		fprintf(output->file,
			"  %swarning%s: no socket with SO_REUSEPORT that is bound to these ports is"
			" known, so nothing is steered\n",
			output_tone(output, OUTPUT_WARNING), output_plain(output));
	for (i = 0; i < view->count; i++) {
		const struct steer_group_view *group = &view->groups[i];

		if (!group->active)
			fprintf(output->file, "  %swarning%s: %s: no worker takes new flows\n",
				output_tone(output, OUTPUT_WARNING), output_plain(output),
				steer_group_text(&group->info, name));
		snprintf(imbalance, sizeof(imbalance), group->imbalance > 0 ? "%.2f" : "-",
			 group->imbalance);
		table_row(groups, "%s|%s|%s|%u|%d|%d|%d|%u|%u|%s|%llu|%s",
			  steer_group_text(&group->info, name),
			  netns_text(group->info.netns, netns),
			  steer_policy_name(group->info.policy), group->info.prog_id,
			  group->count - group->closed, group->closed, group->active,
			  group->live + group->half_open, group->size,
			  bytes_format(group->table_bytes, bytes), group->datagrams, imbalance);
	}
	table_print(groups, output, 2);
	for (i = 0; i < FAULTS; i++)
		if (counter_sum(view, faults[i]))
			table_row(counters, "%llu|%s|%s", counter_sum(view, faults[i]),
				  steer_counters[faults[i]].key, steer_counters[faults[i]].help);
	table_print(counters, output, 2);
}

json_t *status_steer_json(const struct steer_view *view)
{
	json_t *groups = json_array(), *counters = json_object(), *object;
	char ports[PORTS_TEXT_MAX];
	size_t i;

	for (i = 0; i < view->count; i++) {
		const struct steer_group_view *group = &view->groups[i];

		object = json_pack("{s:s, s:i, s:s, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:I, s:I}",
				   "name", group->name, "port", group->info.port, "policy",
				   steer_policy_name(group->info.policy), "program_id",
				   group->info.prog_id, "sockets", group->count, "open",
				   group->count - group->closed, "closed", group->closed, "active",
				   group->active, "flows", group->live + group->half_open, "size",
				   group->size, "table_bytes", (json_int_t)group->table_bytes,
				   "datagrams", (json_int_t)group->datagrams);
		netns_names_json(NULL, group->info.netns, object);
		json_array_append_new(groups, object);
	}
	for (i = 0; i < FAULTS; i++)
		json_object_set_new(counters, steer_counters[faults[i]].key,
				    json_integer((json_int_t)counter_sum(view, faults[i])));
	return json_pack("{s:s, s:s, s:o, s:o}", "policy", steer_policy_name(view->meta.policy),
			 "ports", ports_text(view, ports, sizeof(ports)), "groups", groups,
			 "counters", counters);
}
