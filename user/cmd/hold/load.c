// SPDX-License-Identifier: GPL-2.0-or-later
/* sluice hold load: attaches the programs that track flows, or updates them in place. */
#include "base/text.h"
#include "cmd/command.h"
#include "cmd/hold/view.h"
#include "hold/options.h"
#include "host/cgroup_root.h"
#include "kernel/load_outcome.h"
#include "net/netns.h"

#include <errno.h>
#include <string.h>

static struct hold_options options;

static const char *const outcomes[] = {
	[LOAD_VERIFIED] = "would be attached",
	[LOAD_FRESH] = "loaded",
	[LOAD_UPDATED] = "updated in place",
	[LOAD_RECOVERED] = "loaded, in place of an interrupted load",
};

static void print_json(const struct context *context, const struct hold_result *result,
		       bool sending)
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
	json_object_update_new(document,
			       json_pack("{s:s, s:s, s:o, s:i, s:b, s:o}", "outcome",
					 outcomes[result->outcome], "ports", ports, "cgroup",
					 output_name(options.cgroup), "table", options.table,
					 "sending", sending, "programs", progs));
	output_json(&context->output, document);
}

static void print_text(const struct context *context, const struct hold_result *result,
		       bool sending)
{
	const struct sluice_hold_meta *before = &result->before;
	struct table *table = table_new("program|hook|>verified insns");
	static char ports[PORTS_TEXT_MAX];
	char cgroup[PATH_MAX];
	int i;

	ports_format(&options.ports, ports, sizeof(ports));
	fprintf(context->output.file, "hold: %s: ports %s, cgroup %s\n", outcomes[result->outcome],
		ports, text_plain_copy(cgroup, sizeof(cgroup), options.cgroup));
	if (before->magic && before->table != options.table)
		fprintf(context->output.file,
			"  table: %u flows before, %u now: it starts empty, and a flow is tracked"
			" again from its next datagram\n",
			before->table, options.table);
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
	bool sending;
	int failed;

	if (ports_empty(&options.ports))
		return err_hint(err, err_set(err, EXIT_USAGE, EINVAL, "hold load needs a --port"),
				"give local or remote ports, as in --port 5060, or --port any");
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
	sending = !hold_read(context->bpffs, &state, &(struct err){ 0 }) && state.sending;
	if (context->output.json)
		print_json(context, &result, sending);
	else
		print_text(context, &result, sending);
	return 0;
}

const struct command hold_load_command = {
	.object = "hold",
	.name = "load",
	.summary = "track the flows of UDP sockets, or update in place if loaded",
	.tables = { { hold_opts, &options } },
	.options = &options,
	.all_netns = true,
	.run = run,
	.help = "Records when the datagrams of each flow pass, for the UDP sockets below the cgroup and\n"
		"in the network namespace; --netns all means every namespace.  A flow with a local or\n"
		"remote port of the list is tracked from its first outgoing datagram.  No packet is\n"
		"changed.\n"
		"\n"
		"Only 'sluice run' with a section [hold] sends keepalives: a flow that has sent nothing\n"
		"for 15 to 18 s and whose peer has answered before gets one, until its socket closes.\n"
		"sluice-hold(8) explains how, and lists the keys of the section.\n"
		"\n"
		"A second load resets options that are not given to their defaults.  The programs stay\n"
		"attached until 'sluice hold unload' or 'sluice cleanup'.\n\n"
		"examples:\n"
		"  sluice hold load --port 5060\n"
		"  sluice hold load --port any --netns all --cgroup /sys/fs/cgroup/machine.slice\n",
};
