// SPDX-License-Identifier: GPL-2.0-or-later
/* sluice reply load: attach the reply plane, or change it in place. */
#include "command.h"
#include "hooks.h"
#include "place.h"
#include "reply.h"
#include "word.h"

#include <errno.h>
#include <string.h>

struct options {
	struct reply_options reply;
	bool mode_given;
};

static const char *const modes[] = { "socket", "audit" };

static int set_mode(void *into, const char *value, struct err *err)
{
	struct options *options = into;
	const char *nearest;

	options->mode_given = true;
	if (!strcmp(value, "socket"))
		options->reply.mode = SLUICE_REPLY_SOCKET;
	else if (!strcmp(value, "audit"))
		options->reply.mode = SLUICE_REPLY_AUDIT;
	else {
		nearest = word_nearest(value, modes, 2);
		err_set(err, EXIT_USAGE, EINVAL, "unknown mode '%s'", value);
		return nearest ? err_mend(err, -EINVAL, "did you mean '%s'?", nearest)
			       : err_mend(err, -EINVAL, "give 'socket' or 'audit'");
	}
	return 0;
}

static int set_ports(void *into, const char *value, struct err *err)
{
	return ports_parse(value, &((struct options *)into)->reply.ports, err);
}

static int set_table(void *into, const char *value, struct err *err)
{
	uint64_t number;
	int result = opt_number("--table", value, REPLY_TABLE_MIN, REPLY_TABLE_MAX, &number, err);

	if (!result)
		((struct options *)into)->reply.table = (__u32)number;
	return result;
}

static int set_age(void *into, const char *value, struct err *err)
{
	uint64_t number;
	int result = opt_number("--age", value, 1, REPLY_AGE_MAX, &number, err);

	if (!result)
		((struct options *)into)->reply.age_s = number;
	return result;
}

static int set_dry_run(void *into, const char *value, struct err *err)
{
	((struct options *)into)->reply.dry_run = true;
	return 0;
}

static const struct opt opts[] = {
	{ "mode", 'm', "MODE", "socket: fix the source of replies; audit: only count wrong ones",
	  set_mode },
	{ "port", 0, "LIST", "the servers' ports, as in 53,5000-5100, or any (default any)",
	  set_ports },
	{ "table", 0, "N", "flows remembered (default 16384; the oldest give way)", set_table },
	{ "age", 0, "SECONDS", "how long a flow is used after its peer was heard (default 120)",
	  set_age },
	{ "dry-run", 'n', NULL, "run the verifier, say what would be attached, change nothing",
	  set_dry_run },
	{ NULL, 0, NULL, NULL, NULL },
};

static struct options defaults = {
	.reply = { .ports.any = true, .table = REPLY_TABLE_DEFAULT, .age_s = REPLY_AGE_DEFAULT },
};

static json_t *prog_json(const struct reply_prog *prog)
{
	json_t *object = json_pack("{s:s, s:s}", "program", prog->name, "hook",
				   hook_type_name(prog->attach_type));

	if (prog->verified_insns)
		json_object_set_new(object, "verified_insns", json_integer(prog->verified_insns));
	return object;
}

static void print_json(const struct context *context, const struct reply_options *options,
		       const struct reply_result *result, const char *outcome)
{
	json_t *document = output_document(), *progs = json_array();
	static char ports[PORTS_TEXT_MAX];
	int i;

	ports_format(&options->ports, ports, sizeof(ports));
	json_object_set_new(document, "outcome", json_string(outcome));
	json_object_set_new(document, "mode", json_string(reply_mode_name(options->mode)));
	json_object_set_new(document, "ports", json_string(ports));
	json_object_set_new(document, "cgroup", json_string(options->cgroup));
	for (i = 0; i < result->count; i++)
		json_array_append_new(progs, prog_json(&result->progs[i]));
	json_object_set_new(document, "programs", progs);
	output_json(&context->output, document);
}

/* What an update changes: options that are not given go back to their defaults. */
static void print_before(const struct output *output, const struct reply_options *options,
			 const struct sluice_reply_meta *before)
{
	static char ports[PORTS_TEXT_MAX];
	struct ports were;
	char cgroup[PATH_MAX];

	reply_ports(before, &were);
	if (reply_cgroup_path(before->cgroup_id, cgroup))
		snprintf(cgroup, sizeof(cgroup), "(gone)");
	if (before->mode == options->mode && !memcmp(&were, &options->ports, sizeof(were)) &&
	    !strcmp(cgroup, options->cgroup) && before->age_ns == options->age_s * 1000000000ULL &&
	    before->sets == (options->table + SLUICE_FLOW_WAYS - 1) / SLUICE_FLOW_WAYS)
		return;
	fprintf(output->file, "  it was: mode %s, ports %s, cgroup %s, age %llu, table %u\n",
		reply_mode_name(before->mode), ports_format(&were, ports, sizeof(ports)), cgroup,
		before->age_ns / 1000000000ULL, before->sets * SLUICE_FLOW_WAYS);
}

static void print_text(const struct context *context, const struct reply_options *options,
		       const struct reply_result *result, const char *outcome)
{
	static char ports[PORTS_TEXT_MAX];
	struct table *table;
	int i;

	ports_format(&options->ports, ports, sizeof(ports));
	fprintf(context->output.file, "reply: %s: mode %s, ports %s, cgroup %s\n", outcome,
		reply_mode_name(options->mode), ports, options->cgroup);
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

static int run(const struct context *context, void *into, int words, char **word, struct err *err)
{
	static const char *const outcomes[] = {
		[REPLY_VERIFIED] = "would be attached",
		[REPLY_LOADED] = "loaded",
		[REPLY_UPDATED] = "updated in place",
		[REPLY_RECOVERED] = "loaded, in place of an interrupted load",
	};
	struct options *options = into;
	struct reply_result result;
	char cgroup[PATH_MAX];
	int failed;

	if (!options->mode_given)
		return err_mend(err, err_set(err, EXIT_USAGE, EINVAL, "reply load needs a --mode"),
				"give --mode socket, or --mode audit to look first");
	failed = place_cgroup(context, cgroup, err);
	if (failed)
		return failed;
	options->reply.cgroup = cgroup;
	options->reply.bpffs = context->bpffs;
	hooks_libbpf_log();
	failed = reply_load(&options->reply, &result, err);
	if (failed)
		return failed;
	if (context->output.json)
		print_json(context, &options->reply, &result, outcomes[result.outcome]);
	else
		print_text(context, &options->reply, &result, outcomes[result.outcome]);
	return 0;
}

const struct command reply_load_command = {
	.object = "reply",
	.name = "load",
	.summary = "attach to a cgroup; loaded already, change it in place",
	.opts = opts,
	.options = &defaults,
	.run = run,
	.help = "mode socket learns the local address of each request and sets the source of the\n"
		"reply where the application left it open: UDP sockets bound to the wildcard\n"
		"address, below the cgroup, in any network namespace.  With --port any, sockets\n"
		"whose port the kernel chose (clients) are left alone.\n"
		"Loaded again, options that are not given go back to their defaults.\n"
		"It stays attached until 'sluice reply unload' or 'sluice cleanup'.\n\n"
		"example:\n"
		"  sluice reply load --mode audit && sleep 60 && sluice reply audit\n"
		"  sluice reply load --mode socket --port 53,5060\n",
};
