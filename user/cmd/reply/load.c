// SPDX-License-Identifier: GPL-2.0-or-later
/* sluice reply load: loads the object reply or wire, or updates it in place. */
#include "base/log.h"
#include "base/text.h"
#include "cmd/command.h"
#include "cmd/reply/view.h"
#include "host/cgroup_root.h"
#include "kernel/links.h"
#include "kernel/load_outcome.h"
#include "kernel/mounts.h"
#include "kernel/pins.h"
#include "reply/options.h"
#include "reply/reply.h"
#include "wire/options.h"
#include "wire/wire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* On the command line, wire is a third mode; the object reply and its section have only two. */
enum {
	MODE_WIRE = SLUICE_REPLY_AUDIT + 1
};

static struct options {
	struct reply_options reply;
	struct wire_options wire; /* run_wire() copies the options that it shares with `reply` */
	unsigned int mode;	  /* enum sluice_reply_mode or MODE_WIRE; 0: not given */
	const char *wire_only;	  /* a command-line option that only mode wire has */
} options;

static const char *const modes[] = { "socket", "audit", "wire", NULL };

static const struct opt mode_opts[] = {
	{ "mode", 'm', "MODE", opt_word, offsetof(struct options, mode),
	  "socket, wire, or audit, which changes no packet; required", .words = modes,
	  .noun = "mode", .min = SLUICE_REPLY_SOCKET },
	{ .name = NULL },
};

/* Returns the settings before an update, or null. */
static json_t *before_json(const struct sluice_reply_meta *before)
{
	char ports_text[PORTS_TEXT_MAX], cgroup[PATH_MAX];
	struct ports ports;
	json_t *path;

	if (!before->magic)
		return json_null();
	reply_ports(before, &ports);
	path = mounts_cgroup2_path(before->cgroup_id, cgroup) ? json_null() : output_name(cgroup);
	return json_pack("{s:s, s:s, s:o, s:I, s:I}", "mode", reply_mode_name(before->mode),
			 "ports", ports_format(&ports, ports_text, sizeof(ports_text)), "cgroup",
			 path, "age_s", (json_int_t)(before->age_ns / 1000000000ULL), "table",
			 (json_int_t)before->sets * SLUICE_FLOW_WAYS);
}

static void print_json(const struct context *context, const struct reply_options *options,
		       const struct reply_result *result, const char *outcome)
{
	json_t *document = output_document(), *progs = json_array();
	static char ports[PORTS_TEXT_MAX];
	json_t *object;
	int i;

	for (i = 0; i < result->count; i++) {
		const struct reply_prog *prog = &result->progs[i];

		json_array_append_new(
			progs, json_pack("{s:s, s:s, s:o*}", "program", prog->name, "hook",
					 hook_type_name(prog->attach_type), "verified_insns",
					 prog->verified_insns ? json_integer(prog->verified_insns)
							      : NULL));
	}
	ports_format(&options->ports, ports, sizeof(ports));
	object = json_pack("{s:s, s:s, s:s, s:o, s:I, s:I, s:I, s:o, s:o, s:o}", "outcome", outcome,
			   "mode", reply_mode_name(options->mode), "ports", ports, "cgroup",
			   output_name(options->cgroup), "age_s", (json_int_t)options->age_s,
			   "table", (json_int_t)options->table, "table_bytes",
			   (json_int_t)reply_table_bytes(options->table), "before",
			   before_json(&result->before), "replaces_abi",
			   output_nonzero(result->replaces), "programs", progs);
	json_object_update_new(document, object);
	output_json(&context->output, document);
}

/* Prints the settings that the load has changed, and their previous values. */
static void print_before(const struct output *output, const struct reply_options *options,
			 const struct sluice_reply_meta *before)
{
	struct table *changes = table_new(CHANGE_COLUMNS);
	static char ports[PORTS_TEXT_MAX], ports_before[PORTS_TEXT_MAX];
	char cgroup[PATH_MAX], cgroup_before[PATH_MAX];
	__u64 age_s = before->age_ns / 1000000000ULL;
	struct ports were;

	reply_ports(before, &were);
	if (mounts_cgroup2_path(before->cgroup_id, cgroup_before))
		snprintf(cgroup_before, sizeof(cgroup_before), "(gone)");
	change_row(changes, "mode", reply_mode_name(before->mode), reply_mode_name(options->mode));
	change_row(changes, "ports", ports_format(&were, ports_before, sizeof(ports_before)),
		   ports_format(&options->ports, ports, sizeof(ports)));
	change_row(changes, "cgroup", text_plain(cgroup_before, sizeof(cgroup_before)),
		   text_plain_copy(cgroup, sizeof(cgroup), options->cgroup));
	change_row_number(changes, "age", age_s, options->age_s);
	change_row_number(changes, "table", before->sets * SLUICE_FLOW_WAYS,
			  (options->table + SLUICE_FLOW_WAYS - 1) / SLUICE_FLOW_WAYS *
				  SLUICE_FLOW_WAYS);
	change_row(changes, "any-peer-port", before->any_peer_port ? "yes" : "no",
		   options->any_peer_port ? "yes" : "no");
	table_print(changes, output, 2);
	reply_view_table_change(before->sets, options->table, output);
}

static void print_text(const struct context *context, const struct reply_options *options,
		       const struct reply_result *result, const char *outcome)
{
	static char ports[PORTS_TEXT_MAX];
	char cgroup[PATH_MAX], bytes[24];
	struct table *table;
	int i;

	ports_format(&options->ports, ports, sizeof(ports));
	fprintf(context->output.file,
		"reply: %s: mode %s, ports %s, cgroup %s, table of %u flows (%s)\n", outcome,
		reply_mode_name(options->mode), ports,
		text_plain_copy(cgroup, sizeof(cgroup), options->cgroup), options->table,
		bytes_format(reply_table_bytes(options->table), bytes));
	if (result->before.magic)
		print_before(&context->output, options, &result->before);
	if (!options->dry_run && !context->verbose)
		return;
	table = table_new("program|hook|>verified insns");
	for (i = 0; i < result->count; i++) {
		const struct reply_prog *prog = &result->progs[i];
		char insns[16] = "-";

		if (prog->verified_insns)
			snprintf(insns, sizeof(insns), "%u", prog->verified_insns);
		table_row(table, "%s|%s|%s", prog->name, hook_type_name(prog->attach_type), insns);
	}
	table_print(table, &context->output, 2);
}

static int check(const struct options *options, struct err *err)
{
	const struct wire_options *wire = &options->wire;

	if (!options->mode)
		return err_hint(err, err_set(err, EXIT_USAGE, EINVAL, "reply load needs a --mode"),
				"give --mode socket or wire, or start with --mode audit");
	if (options->reply.any_peer_port && options->mode != SLUICE_REPLY_SOCKET)
		return err_hint(
			err,
			err_set(err, EXIT_USAGE, EINVAL, "--any-peer-port is for --mode socket"),
			"mode audit reports the datagrams that it would fix");
	if (options->mode != MODE_WIRE) {
		if (!options->wire_only)
			return 0;
		return err_hint(err,
				err_set(err, EXIT_USAGE, EINVAL, "--%s is for --mode wire",
					options->wire_only),
				"the other modes work on sockets, not on interfaces");
	}
	if (!wire->ifaces.count && !wire->follow.count && !wire->gateways.count)
		return err_hint(err,
				err_set(err, EXIT_USAGE, EINVAL, "mode wire needs an interface"),
				"give --follow BRIDGE for clients in containers, --iface IF for"
				" others, --gateway IF for a server behind this host");
	if (wire->gateways.count && wire->servers.count < 2)
		return err_hint(err,
				err_set(err, EXIT_USAGE, EINVAL,
					"--gateway needs two or more addresses of the server"),
				"give all of them with --server ADDR,ADDR");
	if (wire->servers.count && !wire->gateways.count)
		return err_hint(err, err_set(err, EXIT_USAGE, EINVAL, "--server without --gateway"),
				"name the interface toward the server with --gateway IF");
	return 0;
}

static int run_wire(const struct context *context, struct options *options, struct err *err)
{
	struct wire_options *wire = &options->wire;
	struct wire_result result;
	int failed;

	wire->ports = options->reply.ports;
	wire->table = options->reply.table;
	wire->age_s = options->reply.age_s;
	wire->dry_run = options->reply.dry_run;
	wire->bpffs = context->bpffs;
	failed = wire_load(wire, &result, err);
	if (failed)
		return failed;
	wire_view_result(wire, &result, load_outcome_name(result.outcome, result.as_before),
			 &context->output);
	free(result.ifaces);
	return 0;
}

static int run_socket(const struct context *context, struct options *options, struct err *err)
{
	struct reply_result result;
	char cgroup[PATH_MAX];
	const char *outcome;
	int failed = cgroup_root_path(context, cgroup, err);

	if (failed)
		return failed;
	options->reply.mode = options->mode;
	options->reply.cgroup = cgroup;
	options->reply.bpffs = context->bpffs;
	failed = reply_load(&options->reply, &result, err);
	if (failed)
		return failed;
	outcome = load_outcome_name(result.outcome, result.as_before);
	if (context->output.json)
		print_json(context, &options->reply, &result, outcome);
	else
		print_text(context, &options->reply, &result, outcome);
	return 0;
}

static int run(const struct context *context, void *into, int words, char **word, struct err *err)
{
	struct options *options = into;
	int failed = check(options, err);

	/*
	 * 'ip netns exec' hides bpffs and cgroups: check bpffs first, its error has the better hint
	 */
	if (!failed)
		failed = pins_exist(context->bpffs, ".", err);
	if (failed < 0)
		return failed;
	links_libbpf_log();
	return options->mode == MODE_WIRE ? run_wire(context, options, err)
					  : run_socket(context, options, err);
}

const struct command reply_load_command = {
	.object = "reply",
	.name = "load",
	.summary = "attach to a cgroup or to interfaces, or update in place if loaded",
	.tables = { { mode_opts, &options },
		    { reply_opts, &options.reply },
		    { wire_opts, &options.wire, &options.wire_only, "options of mode wire" } },
	.options = &options,
	.changes = true,
	.run = run,
	.help = "mode socket records the local address of each request.  It sets the source of the\n"
		"reply if the application has not: for UDP sockets bound to the wildcard address,\n"
		"below the cgroup, in any network namespace.  With --port any, it ignores sockets\n"
		"whose port the kernel has chosen (clients).\n"
		"\n"
		"mode wire works on the interfaces toward the clients, and changes nothing until it\n"
		"sees a fault.  If a reply has a source that its client never sent to, the source is\n"
		"set to the requested address.  If a server has connected back to its client (nc -ul,\n"
		"iperf3), this host would refuse further requests; their destination is set to the\n"
		"address of that socket.  A server that replies from a requested address is never\n"
		"touched.  --gateway does the same for a server behind this host, for the given\n"
		"addresses only.  sluice-wire(7) lists what mode wire does not fix.\n"
		"'sluice run', or another load, attaches to bridge ports that are added later.\n"
		"mode wire can be loaded together with mode socket or mode audit.\n"
		"\n"
		"mode audit changes no packet.  It counts the replies that leave from an address\n"
		"other than the requested one; 'sluice reply audit' lists them and the mode that\n"
		"fixes them.  mode audit replaces mode socket.\n"
		"\n"
		"A second load resets omitted options to their defaults.\n"
		"The programs stay attached until 'sluice reply unload' or 'sluice cleanup'.\n\n"
		"examples:\n"
		"  sluice reply load --mode audit && sleep 60 && sluice reply audit\n"
		"  sluice reply load --mode socket --port 53,5060\n"
		"  sluice reply load --mode wire --follow docker0 --port 5201\n"
		"  sluice reply load --mode wire --gateway vnet0 --server 10.0.0.5,10.0.1.5\n",
};
