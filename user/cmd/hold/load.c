// SPDX-License-Identifier: GPL-2.0-or-later
/* sluice hold load: attaches the programs that track flows, or updates them in place. */
#include "base/text.h"
#include "cmd/command.h"
#include "cmd/hold/show.h"
#include "hold/options.h"
#include "hold/send_options.h"
#include "host/cgroup_root.h"
#include "kernel/load_outcome.h"
#include "kernel/pins.h"
#include "net/netns.h"
#include "net/netns_names.h"

#include <errno.h>
#include <string.h>

static struct hold_options options;
static struct hold_send_options send_options; /* unused: only messages name its keys */

/* Returns the settings before an update, or null. */
static json_t *before_json(const struct sluice_hold_meta *before)
{
	static char text[PORTS_TEXT_MAX];
	struct ports ports;
	json_t *object;

	if (!before->magic)
		return json_null();
	hold_ports(before, &ports);
	object = json_pack("{s:s, s:I, s:I}", "ports", ports_format(&ports, text, sizeof(text)),
			   "max_s", (json_int_t)(before->max_ns / 1000000000ULL), "table",
			   (json_int_t)before->table);
	netns_names_json(NULL, before->netns, object);
	return object;
}

static void print_json(const struct context *context, const struct hold_result *result,
		       const char *outcome, bool sending)
{
	json_t *document = output_document(), *progs = json_array();
	static char ports[PORTS_TEXT_MAX];
	int i;

	for (i = 0; i < result->count; i++) {
		const struct hold_prog *prog = &result->progs[i];

		json_array_append_new(
			progs, json_pack("{s:s, s:s, s:o*}", "program", prog->name, "hook",
					 hook_type_name(prog->attach_type), "verified_insns",
					 prog->verified_insns ? json_integer(prog->verified_insns)
							      : NULL));
	}
	ports_format(&options.ports, ports, sizeof(ports));
	json_object_update_new(
		document,
		json_pack("{s:s, s:s, s:o, s:I, s:I, s:I, s:b, s:o, s:o, s:o}", "outcome", outcome,
			  "ports", ports, "cgroup", output_name(options.cgroup), "max_s",
			  (json_int_t)options.max_s, "table", (json_int_t)options.table,
			  "table_bytes", (json_int_t)hold_table_bytes(options.table), "sending",
			  sending, "before", before_json(&result->before), "replaces_abi",
			  output_nonzero(result->replaces), "programs", progs));
	output_json(&context->output, document);
}

/* Prints the settings that the load has changed, and their previous values. */
static void print_before(const struct output *output, const struct hold_result *result)
{
	const struct sluice_hold_meta *before = &result->before;
	static char ports[PORTS_TEXT_MAX], ports_before[PORTS_TEXT_MAX];
	char netns[NETNS_TEXT_MAX], netns_before[NETNS_TEXT_MAX];
	struct table *changes = table_new(CHANGE_COLUMNS);
	struct ports were;

	hold_ports(before, &were);
	change_row(changes, "ports", ports_format(&were, ports_before, sizeof(ports_before)),
		   ports_format(&options.ports, ports, sizeof(ports)));
	change_row(changes, "netns", netns_setting_text(before->netns, netns_before),
		   netns_setting_text(options.netns, netns));
	change_row_number(changes, "max", before->max_ns / 1000000000, options.max_s);
	change_row_number(changes, "table", before->table, options.table);
	table_print(changes, output, 2);
	if (before->table != options.table || result->missed_closes)
		fprintf(output->file,
			"  the new table starts empty: a flow is tracked again from its next"
			" datagram\n");
}

static void print_text(const struct context *context, const struct hold_result *result,
		       const char *outcome, bool sending)
{
	struct table *table = table_new("program|hook|>verified insns");
	static char ports[PORTS_TEXT_MAX];
	char cgroup[PATH_MAX], bytes[24];
	int i;

	ports_format(&options.ports, ports, sizeof(ports));
	fprintf(context->output.file, "hold: %s: ports %s, cgroup %s, table of %u flows (%s)\n",
		outcome, ports, text_plain_copy(cgroup, sizeof(cgroup), options.cgroup),
		options.table, bytes_format(hold_table_bytes(options.table), bytes));
	if (result->before.magic)
		print_before(&context->output, result);
	for (i = 0; (options.dry_run || context->verbose) && i < result->count; i++)
		table_row(table, "%s|%s|%u", result->progs[i].name,
			  hook_type_name(result->progs[i].attach_type),
			  result->progs[i].verified_insns);
	table_print(table, &context->output, 2);
	if (!sending)
		fprintf(context->output.file, "  %s\n", HOLD_NOT_SENDING);
}

static int run(const struct context *context, void *into, int words, char **word, struct err *err)
{
	struct hold_result result = { .count = 0 };
	struct hold_state state;
	char cgroup[PATH_MAX];
	const char *outcome;
	bool sending;
	int failed;

	if (ports_empty(&options.ports))
		return err_hint(err, err_set(err, EXIT_USAGE, EINVAL, "hold load needs a --port"),
				"give local or remote ports, as in --port 5060, or --port any");
	/*
	 * 'ip netns exec' hides bpffs and cgroups: check bpffs first, its error has the better hint
	 */
	failed = pins_exist(context->bpffs, ".", err);
	if (failed >= 0)
		failed = netns_number(context->netns, &options.netns, err);
	if (!failed)
		failed = cgroup_root_path(context, cgroup, err);
	if (failed)
		return failed;
	links_libbpf_log();
	options.bpffs = context->bpffs;
	options.cgroup = cgroup;
	failed = hold_load(&options, &result, err);
	if (failed)
		return failed;
	sending = !hold_view_state(context->bpffs, &state, &(struct err){ 0 }) && state.sending;
	outcome = load_outcome_name(result.outcome, result.as_before);
	if (context->output.json)
		print_json(context, &result, outcome, sending);
	else
		print_text(context, &result, outcome, sending);
	return 0;
}

const struct command hold_load_command = {
	.object = "hold",
	.name = "load",
	.summary = "track the flows of UDP sockets, or update in place if loaded",
	.tables = { { hold_opts, &options }, { hold_send_opts, &send_options } },
	.options = &options,
	.all_netns = true,
	.changes = true,
	.run = run,
	.help = "Records the times of the datagrams of each flow, for the UDP sockets below the cgroup\n"
		"and in the network namespace; --netns all means every namespace.  A flow is tracked\n"
		"from its first outgoing datagram if its local or remote port is in the list.  No\n"
		"packet is changed.\n"
		"\n"
		"Only 'sluice run' with a section [hold] sends keepalives.  A flow gets one whenever it\n"
		"has sent nothing for 15 to 18 s, if its peer has answered before, until its socket is\n"
		"closed.  sluice-hold(8) describes this, and lists the keys of the section.\n"
		"\n"
		"A second load resets omitted options to their defaults.  The programs stay\n"
		"attached until 'sluice hold unload' or 'sluice cleanup'.\n\n"
		"examples:\n"
		"  sluice hold load --port 5060\n"
		"  sluice hold load --port any --netns all --cgroup /sys/fs/cgroup/machine.slice\n",
};
