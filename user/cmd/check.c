// SPDX-License-Identifier: GPL-2.0-or-later
/* sluice check: what this kernel, these capabilities and these mounts allow. */
#include "host/check.h"
#include "cmd/command.h"

#include <errno.h>
#include <string.h>

#define ALL_OBJECTS ((1U << CHECK_OBJECTS) - 1)

/* In the order of enum check_object. */
static const char *const planes[] = { "reply", "steer", NULL };
_Static_assert(sizeof(planes) / sizeof(*planes) == CHECK_OBJECTS + 1, "planes");

static struct check_options {
	unsigned int planes; /* bit 1 << enum check_object; 0: all */
} options;

static const struct opt check_opts[] = {
	{ "for", 0, "LIST", opt_word_set, offsetof(struct check_options, planes),
	  "of reply, steer (default: both)", .words = planes, .noun = "object" },
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

static void print_findings(const struct check_report *report, const struct output *output)
{
	static const enum output_tone tones[] = {
		[CHECK_OK] = OUTPUT_GOOD,
		[CHECK_WARN] = OUTPUT_WARNING,
		[CHECK_FAIL] = OUTPUT_BAD,
	};
	struct table *table = table_new("plane|what|result|reason, mend");
	size_t i;

	for (i = 0; i < report->count; i++) {
		const struct check_finding *finding = &report->finding[i];

		table_row(table, "%s|%s|%s%s%s|%s%s%s", finding->object, finding->name,
			  output_tone(output, tones[finding->result]), results[finding->result],
			  output_plain(output), finding->reason, finding->hint[0] ? "; " : "",
			  finding->hint);
	}
	table_print(table, output, 0);
}

static void print_verdict(enum check_object plane, const struct check_verdict *verdict,
			  const struct output *output)
{
	const char *name = check_object_name(plane);

	switch (verdict->state) {
	case CHECK_READY:
		fprintf(output->file, "%s: %sready%s\n", name, output_tone(output, OUTPUT_GOOD),
			output_plain(output));
		return;
	case CHECK_FALLBACK:
		fprintf(output->file, "%s: %sready%s, with %d fallback%s\n", name,
			output_tone(output, OUTPUT_WARNING), output_plain(output),
			verdict->fallbacks, verdict->fallbacks == 1 ? "" : "s");
		return;
	case CHECK_MISSING:
		fprintf(output->file, "%s: %snot possible %s%s: %s\n", name,
			output_tone(output, OUTPUT_BAD),
			verdict->permission ? "with these permissions" : "here",
			output_plain(output), verdict->missing);
		return;
	}
}

static void print_text(const struct check_report *report, const struct output *output)
{
	enum check_object plane;

	print_findings(report, output);
	fputc('\n', output->file);
	for (plane = 0; plane < CHECK_OBJECTS; plane++)
		if (report->verdict[plane].asked)
			print_verdict(plane, &report->verdict[plane], output);
}

static void print_json(const struct check_report *report, const struct output *output)
{
	json_t *document = output_document(), *checks = json_array(), *verdict = json_object();
	enum check_object plane;
	size_t i;

	for (i = 0; i < report->count; i++) {
		const struct check_finding *finding = &report->finding[i];

		json_array_append_new(checks, json_pack("{s:s, s:s, s:s, s:o, s:o}", "object",
							finding->object, "name", finding->name,
							"result", results[finding->result],
							"reason", output_name(finding->reason),
							"hint", output_name(finding->hint)));
	}
	for (plane = 0; plane < CHECK_OBJECTS; plane++)
		if (report->verdict[plane].asked)
			json_object_set_new(verdict, check_object_name(plane),
					    json_string(states[report->verdict[plane].state]));
	json_object_set_new(document, "checks", checks);
	json_object_set_new(document, "verdict", verdict);
	output_json(output, document);
}

/* The first plane that can't run for lack of something says so; else one that only may not. */
static int conclude(const struct check_report *report, struct err *err)
{
	const struct check_verdict *worst = NULL;
	enum check_object plane, at = 0;

	for (plane = 0; plane < CHECK_OBJECTS; plane++) {
		const struct check_verdict *verdict = &report->verdict[plane];

		if (verdict->state != CHECK_MISSING)
			continue;
		if (!worst || (worst->permission && !verdict->permission)) {
			worst = verdict;
			at = plane;
		}
	}
	if (!worst)
		return 0;
	if (worst->permission)
		err_set(err, EXIT_PERMISSION, EPERM, "%s: permissions are missing: %s",
			check_object_name(at), worst->missing);
	else
		err_set(err, EXIT_LACKING, ENOSYS, "%s: not possible on this host as it is: %s",
			check_object_name(at), worst->missing);
	return err_hint(err, worst->permission ? -EPERM : -ENOSYS,
			"each line marked 'fail' says how to mend it");
}

static int run(const struct context *context, void *into, int words, char **word, struct err *err)
{
	const struct check_options *asked = into;
	struct check_settings settings = {
		.objects = asked->planes ? asked->planes : ALL_OBJECTS,
		.bpffs = context->bpffs,
		.cgroup = context->cgroup,
	};
	struct check_report report;

	check_run(&settings, &report);
	if (context->output.json)
		print_json(&report, &context->output);
	else
		print_text(&report, &context->output);
	return conclude(&report, err);
}

const struct command check_command = {
	.object = "check",
	.summary = "what this kernel, these capabilities and mounts allow",
	.help = "Each line is ok, warn (missing, and done without) or fail; a verdict for each\n"
		"plane comes last.  Nothing is attached, and nothing is left behind.\n"
		"Exit code 3: something is missing that a plane needs; 4: permissions alone.\n",
	.tables = { { check_opts, &options } },
	.options = &options,
	.run = run,
};
