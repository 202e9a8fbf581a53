// SPDX-License-Identifier: GPL-2.0-or-later
/* sluice check: reports what this kernel, these capabilities and these mounts allow. */
#include "host/check.h"
#include "cmd/command.h"
#include "kernel/object.h"

#include <errno.h>
#include <string.h>

#define ALL_OBJECTS ((1U << CHECK_OBJECTS) - 1)

/* Indexed by enum check_object. */
static const char *const objects[] = { "reply", "steer", "hold", "rendezvous", NULL };
_Static_assert(sizeof(objects) / sizeof(*objects) == CHECK_OBJECTS + 1, "objects");

static struct check_options {
	unsigned int objects; /* bit 1 << enum check_object; 0: all */
} options;

/* Names that are not check objects, with a hint for each. */
static const struct {
	const char *name, *hint;
} others[] = {
	{ "wire", "mode wire is part of object reply: --for reply" },
	{ "conntrack", "'sluice conntrack show' reports what is missing: it needs CAP_NET_ADMIN and"
		       " nf_conntrack_netlink" },
};

static int parse_for(const struct opt_value *v, struct err *err)
{
	int result = opt_word_set(v, err);
	size_t i;

	for (i = 0; result && i < sizeof(others) / sizeof(*others); i++)
		if (strstr(v->text, others[i].name))
			return err_hint(err, result, "%s", others[i].hint);
	return result;
}

static const struct opt check_opts[] = {
	{ "for", 0, "LIST", parse_for, offsetof(struct check_options, objects),
	  "objects to check: reply, steer, hold, rendezvous (for its --xdp); default: all",
	  .words = objects, .noun = "object" },
	{ .name = NULL },
};

static const char *const results[] = {
	[CHECK_OK] = "ok",
	[CHECK_WARN] = "warn",
	[CHECK_FAIL] = "fail",
};

static const char *const states[] = {
	[CHECK_READY] = "ready",
	[CHECK_FALLBACK] = "fallback",
	[CHECK_MISSING] = "missing",
};

static void print_text(const struct check_report *report, const struct output *output)
{
	static const enum output_tone tones[] = {
		[CHECK_OK] = OUTPUT_GOOD,
		[CHECK_WARN] = OUTPUT_WARNING,
		[CHECK_FAIL] = OUTPUT_BAD,
	};
	struct table *table = table_new("object|check|result|reason, hint");
	const char *plain = output_plain(output);
	enum check_object object;
	size_t i;

	for (i = 0; i < report->count; i++) {
		const struct check_finding *finding = &report->finding[i];

		table_row(table, "%s|%s|%s%s%s|%s%s%s", finding->object, finding->name,
			  output_tone(output, tones[finding->result]), results[finding->result],
			  plain, finding->reason, finding->hint[0] ? "; " : "", finding->hint);
	}
	table_print(table, output, 0);
	fputc('\n', output->file);
	for (object = 0; object < CHECK_OBJECTS; object++) {
		const struct check_verdict *verdict = &report->verdict[object];

		if (!verdict->asked)
			continue;
		fprintf(output->file, "%s: ", objects[object]);
		if (verdict->state == CHECK_MISSING)
			fprintf(output->file, "%snot possible %s%s: %s\n",
				output_tone(output, OUTPUT_BAD),
				verdict->permission ? "with these permissions" : "here", plain,
				verdict->missing);
		else if (verdict->state == CHECK_FALLBACK)
			fprintf(output->file, "%sready%s, with %d fallback%s\n",
				output_tone(output, OUTPUT_WARNING), plain, verdict->fallbacks,
				verdict->fallbacks == 1 ? "" : "s");
		else
			fprintf(output->file, "%sready%s\n", output_tone(output, OUTPUT_GOOD),
				plain);
	}
}

static void print_json(const struct check_report *report, const struct output *output)
{
	json_t *document = output_document(), *checks = json_array(), *verdict = json_object();
	enum check_object object;
	size_t i;

	for (i = 0; i < report->count; i++) {
		const struct check_finding *finding = &report->finding[i];

		json_array_append_new(checks, json_pack("{s:s, s:s, s:s, s:o, s:o}", "object",
							finding->object, "name", finding->name,
							"result", results[finding->result],
							"reason", output_name(finding->reason),
							"hint", output_name(finding->hint)));
	}
	for (object = 0; object < CHECK_OBJECTS; object++)
		if (report->verdict[object].asked)
			json_object_set_new(verdict, objects[object],
					    json_string(states[report->verdict[object].state]));
	json_object_set_new(document, "checks", checks);
	json_object_set_new(document, "verdict", verdict);
	output_json(output, document);
}

/*
 * Sets *err for the first object that the kernel cannot support, or else for the first object that
 * lacks permissions. Returns 0 if all are possible.
 */
static int conclude(const struct check_report *report, struct err *err)
{
	const struct check_verdict *worst = NULL;
	enum check_object object, at = 0;

	for (object = 0; object < CHECK_OBJECTS; object++) {
		const struct check_verdict *verdict = &report->verdict[object];

		if (verdict->state != CHECK_MISSING)
			continue;
		if (!worst || (worst->permission && !verdict->permission)) {
			worst = verdict;
			at = object;
		}
	}
	if (!worst)
		return 0;
	if (worst->permission)
		err_set(err, EXIT_PERMISSION, EPERM, "%s: missing permissions: %s", objects[at],
			worst->missing);
	else
		err_set(err, EXIT_LACKING, ENOSYS, "%s: not possible on this host: %s", objects[at],
			worst->missing);
	return err_hint(err, worst->permission ? -EPERM : -ENOSYS,
			"each line marked 'fail' has a hint");
}

static int run(const struct context *context, void *into, int words, char **word, struct err *err)
{
	const struct check_options *wanted = into;
	struct check_settings settings = {
		.objects = wanted->objects ? wanted->objects : ALL_OBJECTS,
		.bpffs = context->bpffs,
		.cgroup = context->cgroup,
	};
	struct check_report report;
	int failed = object_reserve_files("check", err);

	if (failed)
		return failed;
	check_run(&settings, &report);
	if (context->output.json)
		print_json(&report, &context->output);
	else
		print_text(&report, &context->output);
	return conclude(&report, err);
}

const struct command check_command = {
	.object = "check",
	.summary = "report what this kernel, these capabilities and mounts allow",
	.help = "Each line is ok, warn (missing, with a fallback) or fail; the last lines are the\n"
		"verdict for each object. This command attaches nothing and leaves nothing behind.\n"
		"Exit status 3: the kernel lacks something that an object needs; 4: only permissions\n"
		"are missing.\n",
	.tables = { { check_opts, &options } },
	.options = &options,
	.run = run,
};
