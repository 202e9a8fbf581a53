// SPDX-License-Identifier: GPL-2.0-or-later
/* sluice check: what this kernel, these capabilities and these mounts allow. */
#include "host/check.h"
#include "cmd/command.h"

#include <errno.h>
#include <string.h>

/* What there is no command for yet is looked at when it is asked for. */
#define PLANNED (1U << PROBE_MEET)
#define BUILT	(((1U << PROBE_PLANES) - 1) & ~PLANNED)

/* In the order of enum probe_plane. */
static const char *const planes[] = { "reply", "steer", "meet", NULL };
_Static_assert(sizeof(planes) / sizeof(*planes) == PROBE_PLANES + 1, "planes");

static struct check_options {
	unsigned int planes; /* bit 1 << enum probe_plane; 0: those that are there */
} options;

static const struct opt check_opts[] = {
	{ "for", 0, "LIST", opt_word_set, offsetof(struct check_options, planes),
	  "of reply, steer, meet (default: those that are there; meet is planned)", .words = planes,
	  .noun = "object" },
	{ .name = NULL },
};

static const char *const results[] = {
	[PROBE_OK] = "ok",
	[PROBE_WARN] = "warn",
	[PROBE_FAIL] = "fail",
};

static const char *const states[] = {
	[PROBE_READY] = "ready",
	[PROBE_FALLBACK] = "fallback",
	[PROBE_MISSING] = "missing",
};

static void print_findings(const struct probe_report *report, const struct output *output)
{
	static const enum output_tone tones[] = {
		[PROBE_OK] = OUTPUT_GOOD,
		[PROBE_WARN] = OUTPUT_WARNING,
		[PROBE_FAIL] = OUTPUT_BAD,
	};
	struct table *table = table_new("plane|what|result|reason, mend");
	size_t i;

	for (i = 0; i < report->count; i++) {
		const struct probe_finding *finding = &report->finding[i];

		table_row(table, "%s|%s|%s%s%s|%s%s%s", finding->plane, finding->name,
			  output_tone(output, tones[finding->result]), results[finding->result],
			  output_plain(output), finding->reason, finding->mend[0] ? "; " : "",
			  finding->mend);
	}
	table_print(table, output, 0);
}

static void print_verdict(enum probe_plane plane, const struct probe_verdict *verdict,
			  const struct output *output)
{
	const char *name = probe_plane_name(plane);

	switch (verdict->state) {
	case PROBE_READY:
		fprintf(output->file, "%s: %sready%s\n", name, output_tone(output, OUTPUT_GOOD),
			output_plain(output));
		return;
	case PROBE_FALLBACK:
		fprintf(output->file, "%s: %sready%s, with %d fallback%s\n", name,
			output_tone(output, OUTPUT_WARNING), output_plain(output),
			verdict->fallbacks, verdict->fallbacks == 1 ? "" : "s");
		return;
	case PROBE_MISSING:
		fprintf(output->file, "%s: %snot possible %s%s: %s\n", name,
			output_tone(output, OUTPUT_BAD),
			verdict->permission ? "with these permissions" : "here",
			output_plain(output), verdict->missing);
		return;
	}
}

static void print_text(const struct probe_report *report, const struct output *output)
{
	enum probe_plane plane;

	print_findings(report, output);
	fputc('\n', output->file);
	for (plane = 0; plane < PROBE_PLANES; plane++) {
		if (!report->verdict[plane].asked)
			continue;
		print_verdict(plane, &report->verdict[plane], output);
		if (PLANNED & 1U << plane)
			fprintf(output->file,
				"  (%s is planned: this version has no such command)\n",
				probe_plane_name(plane));
	}
}

static void print_json(const struct probe_report *report, const struct output *output)
{
	json_t *document = output_document(), *checks = json_array(), *verdict = json_object();
	enum probe_plane plane;
	size_t i;

	for (i = 0; i < report->count; i++) {
		const struct probe_finding *finding = &report->finding[i];

		json_array_append_new(checks, json_pack("{s:s, s:s, s:s, s:o, s:o}", "plane",
							finding->plane, "name", finding->name,
							"result", results[finding->result],
							"reason", output_name(finding->reason),
							"mend", output_name(finding->mend)));
	}
	for (plane = 0; plane < PROBE_PLANES; plane++)
		if (report->verdict[plane].asked)
			json_object_set_new(verdict, probe_plane_name(plane),
					    json_string(states[report->verdict[plane].state]));
	json_object_set_new(document, "checks", checks);
	json_object_set_new(document, "verdict", verdict);
	output_json(output, document);
}

/* The first plane that can't run for lack of something says so; else one that only may not. */
static int conclude(const struct probe_report *report, struct err *err)
{
	const struct probe_verdict *worst = NULL;
	enum probe_plane plane, at = 0;

	for (plane = 0; plane < PROBE_PLANES; plane++) {
		const struct probe_verdict *verdict = &report->verdict[plane];

		if (verdict->state != PROBE_MISSING)
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
			probe_plane_name(at), worst->missing);
	else
		err_set(err, EXIT_LACKING, ENOSYS, "%s: not possible on this host as it is: %s",
			probe_plane_name(at), worst->missing);
	return err_mend(err, worst->permission ? -EPERM : -ENOSYS,
			"each line marked 'fail' says how to mend it");
}

static int check_run(const struct context *context, void *into, int words, char **word,
		     struct err *err)
{
	const struct check_options *asked = into;
	struct probe_settings settings = {
		.planes = asked->planes ? asked->planes : BUILT,
		.bpffs = context->bpffs,
		.cgroup = context->cgroup,
	};
	struct probe_report report;

	probe_run(&settings, &report);
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
	.run = check_run,
};
