// SPDX-License-Identifier: GPL-2.0-or-later
/* sluice reply load: attaches the object reply or wire, or updates it in place. */
#include "base/text.h"
#include "cmd/command.h"
#include "cmd/reply/view.h"
#include "host/cgroup_root.h"
#include "kernel/links.h"
#include "reply/options.h"
#include "reply/reply.h"
#include "wire/options.h"
#include "wire/wire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* On the command line, wire is a third mode; the object reply and its section know only two. */
enum {
	MODE_WIRE = SLUICE_REPLY_AUDIT + 1
};

static struct options {
	struct reply_options reply;
	struct wire_options wire; /* run_wire() copies the options shared with `reply` */
	unsigned int mode;	  /* enum sluice_reply_mode or MODE_WIRE; 0: not given */
	const char *wire_only;	  /* a given option that other modes do not have */
} options;

static const char *const modes[] = { "socket", "audit", "wire", NULL };

static const struct opt mode_opts[] = {
	{ "mode", 'm', "MODE", opt_word, offsetof(struct options, mode),
	  "socket, wire, or audit, which changes no packet; required", .words = modes,
	  .noun = "mode", .min = SLUICE_REPLY_SOCKET },
	{ .name = NULL },
};

static void print_json(const struct context *context, const struct reply_options *options,
		       const struct reply_result *result, const char *outcome)
{
	json_t *document = output_document(), *progs = json_array();
	static char ports[PORTS_TEXT_MAX];
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
	json_object_update_new(document,
			       json_pack("{s:s, s:s, s:s, s:o, s:o}", "outcome", outcome, "mode",
					 reply_mode_name(options->mode), "ports", ports, "cgroup",
					 output_name(options->cgroup), "programs", progs));
	output_json(&context->output, document);
}

static bool is_as_before(const struct reply_options *options,
			 const struct sluice_reply_meta *before)
{
	struct stat st = { 0 };
	struct ports were;

	reply_ports(before, &were);
	return before->mode == options->mode && !memcmp(&were, &options->ports, sizeof(were)) &&
	       !stat(options->cgroup, &st) && before->cgroup_id == st.st_ino &&
	       before->age_ns == options->age_s * 1000000000ULL &&
	       before->sets == (options->table + SLUICE_FLOW_WAYS - 1) / SLUICE_FLOW_WAYS;
}

static void print_text(const struct context *context, const struct reply_options *options,
		       const struct reply_result *result, const char *outcome)
{
	const struct sluice_reply_meta *before = &result->before;
	static char ports[PORTS_TEXT_MAX];
	char cgroup[PATH_MAX];
	struct table *table;
	struct ports were;
	int i;

	ports_format(&options->ports, ports, sizeof(ports));
	fprintf(context->output.file, "reply: %s: mode %s, ports %s, cgroup %s\n", outcome,
		reply_mode_name(options->mode), ports,
		text_plain_copy(cgroup, sizeof(cgroup), options->cgroup));
	if (before->magic && !is_as_before(options, before)) {
		reply_ports(before, &were);
		if (reply_cgroup_path(before->cgroup_id, cgroup))
			snprintf(cgroup, sizeof(cgroup), "(gone)");
		fprintf(context->output.file,
			"  before: mode %s, ports %s, cgroup %s, age %llu, table %u\n",
			reply_mode_name(before->mode), ports_format(&were, ports, sizeof(ports)),
			text_plain(cgroup, sizeof(cgroup)), before->age_ns / 1000000000ULL,
			before->sets * SLUICE_FLOW_WAYS);
		reply_view_table_change(before->sets, options->table, &context->output);
	}
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

static const char *const outcomes[] = {
	[LOAD_VERIFIED] = "would be attached",
	[LOAD_FRESH] = "loaded",
	[LOAD_UPDATED] = "updated in place",
	[LOAD_RECOVERED] = "loaded, in place of an interrupted load",
};

static const char *outcome_text(enum load_outcome outcome, bool as_before)
{
	return outcome == LOAD_UPDATED && as_before ? "unchanged" : outcomes[outcome];
}

static int check(const struct options *options, struct err *err)
{
	const struct wire_options *wire = &options->wire;

	if (!options->mode)
		return err_hint(err, err_set(err, EXIT_USAGE, EINVAL, "reply load needs a --mode"),
				"give --mode socket or wire, or --mode audit to look first");
	if (options->mode != MODE_WIRE) {
		if (!options->wire_only)
			return 0;
		return err_hint(err,
				err_set(err, EXIT_USAGE, EINVAL, "%s is for --mode wire",
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
				"name the interface towards the server with --gateway IF");
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
	wire_view_result(wire, &result, outcome_text(result.outcome, result.as_before),
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
	outcome = outcome_text(result.outcome, is_as_before(&options->reply, &result.before));
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

	if (failed)
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
	.run = run,
	.help = "mode socket records the local address of each request and sets the source of the\n"
		"reply where the application left it open: for UDP sockets bound to the wildcard\n"
		"address, below the cgroup, in any network namespace.  With --port any, sockets\n"
		"with a port chosen by the kernel (clients) are not changed.\n"
		"\n"
		"mode wire works on the interfaces toward the clients, and changes nothing until it\n"
		"sees a fault.  A reply from an address that its client never sent to gets the\n"
		"requested address as its source.  A request that this host would refuse, since the\n"
		"server has connected back to its client (nc -ul, iperf3), gets the address of that\n"
		"socket as its destination.  A server that replies from a requested address is never\n"
		"touched.  --gateway does the same for a server behind this host, within the given\n"
		"addresses.  See sluice-wire(7) for what it does not fix.\n"
		"'sluice run', or another load, attaches to bridge ports that are added later.\n"
		"mode wire can be loaded together with mode socket or mode audit.\n"
		"\n"
		"mode audit changes no packet.  It counts the replies that leave from another address\n"
		"than the requested one; 'sluice reply audit' lists them and the mode that fixes\n"
		"them.  mode audit replaces mode socket.\n"
		"\n"
		"A second load resets options that are not given to their defaults.\n"
		"The programs stay attached until 'sluice reply unload' or 'sluice cleanup'.\n\n"
		"examples:\n"
		"  sluice reply load --mode audit && sleep 60 && sluice reply audit\n"
		"  sluice reply load --mode socket --port 53,5060\n"
		"  sluice reply load --mode wire --follow docker0 --port 5201\n"
		"  sluice reply load --mode wire --gateway vnet0 --server 10.0.0.5,10.0.1.5\n",
};
