// SPDX-License-Identifier: GPL-2.0-or-later
/* sluice top: shows the rates of all objects, on a terminal or as JSON lines. */
#include "base/clock.h"
#include "cmd/command.h"
#include "cmd/screen.h"
#include "cmd/top/rows.h"
#include "cmd/top/sample.h"
#include "cmd/top/terminal.h"
#include "cmd/top/view.h"
#include "host/cleanup.h"
#include "kernel/links.h"
#include "metrics/objects.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static struct options {
	__u32 interval_s;
	unsigned int sort;
	bool once;
} options;

static const struct opt opts[] = {
	{ "interval", 'i', "SECONDS", opt_u32, offsetof(struct options, interval_s),
	  "interval between two reads; rates are averages over it", .min = 1, .max = 3600,
	  .preset = "2" },
	{ "sort", 's', "COLUMN", opt_word, offsetof(struct options, sort),
	  "sort the rows below each parent by this column", .words = top_column_words,
	  .noun = "column", .preset = "events" },
	{ "once", 0, NULL, opt_switch, offsetof(struct options, once),
	  "print the rates of one interval, and exit" },
	{ .name = NULL },
};

/* The current and the previous sample. */
struct history {
	struct top_source source;
	struct top_sample sample[2];
	int now;
};

/* Reads the next sample into the slot of the older sample. */
static int advance(struct history *history, struct err *err)
{
	history->now = !history->now;
	top_sample_free(&history->sample[history->now]);
	return top_sample_read(&history->source, &history->sample[history->now], err);
}

/* Builds the rows of the current sample. */
static int make(const struct history *history, struct top_rows *rows, struct err *err)
{
	const struct top_sample *before = &history->sample[!history->now];

	if (!top_rows_make(before->at_ns ? before : NULL, &history->sample[history->now], rows))
		return 0;
	top_rows_free(rows);
	return err_set(err, EXIT_ERROR, ENOMEM, "top: out of memory");
}

/* --- without a terminal */

static int print(const struct context *context, const struct history *history,
		 const struct options *given, struct err *err)
{
	const struct output *output = &context->output;
	struct top_rows rows;
	int result = make(history, &rows, err);

	if (result)
		return result;
	top_rows_sort(&rows, (enum top_column)given->sort, false);
	if (output->json)
		output_json(output, top_rows_json(&rows));
	else
		top_rows_text(&rows, output);
	if (!output->json && !rows.sample->is_loaded) {
		struct err elsewhere = { 0 };

		/* Without this hint, a wrong --bpffs would look like a clean host. */
		cleanup_hint_elsewhere(context->bpffs, &elsewhere);
		if (elsewhere.hint[0])
			fprintf(output->file, "%s\n", elsewhere.hint);
	}
	top_rows_free(&rows);
	if (fflush(output->file))
		return err_set(err, EXIT_ERROR, errno, "standard output: %s", strerror(errno));
	return 0;
}

static int print_once(const struct context *context, struct history *history,
		      const struct options *given, struct err *err)
{
	const struct timespec interval = { .tv_sec = given->interval_s };
	int result;

	nanosleep(&interval, NULL);
	result = advance(history, err);
	return result ? result : print(context, history, given, err);
}

static int print_intervals(const struct context *context, struct history *history,
			   const struct options *given, struct err *err)
{
	struct screen screen;
	struct err ignored = { 0 };
	int result = screen_start(&screen, context->output.file, false);

	if (result)
		return err_set(err, EXIT_ERROR, -result, "top: %s", strerror(-result));
	while (!result && screen_wait(&screen, given->interval_s)) {
		/* the rows contain the reason */
		advance(history, &ignored);
		result = print(context, history, given, err);
	}
	screen_end(&screen);
	return result;
}

/* --- on a terminal */

static void draw(struct terminal *terminal, struct top_view *view, struct top_rows *rows,
		 const char *bpffs)
{
	terminal_clear(terminal);
	top_view_lines(view, rows, bpffs, terminal_width(terminal), terminal_height(terminal),
		       terminal_line, terminal);
	terminal_show(terminal);
}

/* Handles keys until the next sample is due. Returns false to quit. */
static bool interact(struct terminal *terminal, struct top_view *view, struct top_rows *rows,
		     const char *bpffs, __u64 until_us)
{
	int key = 0;

	for (;;) {
		draw(terminal, view, rows, bpffs);
		switch (terminal_wait(terminal, until_us, &key)) {
		case TERMINAL_TIMEOUT:
			return true;
		case TERMINAL_KEY:
			if (!top_view_key(view, key, rows->count, terminal_height(terminal)))
				return false;
			break;
		case TERMINAL_REDRAW:
			break;
		case TERMINAL_END:
			return false;
		}
	}
}

static int show(const struct context *context, struct history *history, const struct options *given,
		struct err *err)
{
	struct top_view view = { .sort = (enum top_column)given->sort };
	struct terminal *terminal;
	struct err ignored = { 0 };
	struct top_rows rows;
	bool goes_on = true;
	int result = terminal_open(&terminal, err);

	if (result)
		return result;
	while (goes_on) {
		result = make(history, &rows, err);
		if (result)
			break;
		goes_on = interact(terminal, &view, &rows, context->bpffs,
				   clock_now_us() + given->interval_s * 1000000ULL);
		top_rows_free(&rows);
		if (goes_on)
			advance(history, &ignored);
	}
	terminal_close(terminal);
	return result;
}

static int run(const struct context *context, void *into, int words, char **word, struct err *err)
{
	const struct options *given = into;
	struct history history = { .source = { .bpffs = context->bpffs } };
	bool on_terminal = !given->once && !context->output.json;
	int measured_fd, result = on_terminal ? terminal_check(err) : 0;

	if (result)
		return result;
	links_libbpf_log();
	/* the kernel collects run times until this descriptor is closed; needs CAP_SYS_ADMIN */
	measured_fd = bpf_enable_stats(BPF_STATS_RUN_TIME);
	history.source.has_run_times = measured_fd >= 0 || objects_are_measured();
	/* fail at once on an initial error, such as a missing permission */
	result = advance(&history, err);
	if (!result)
		result = (on_terminal	? show
			  : given->once ? print_once
					: print_intervals)(context, &history, given, err);
	top_sample_free(&history.sample[0]);
	top_sample_free(&history.sample[1]);
	top_source_free(&history.source);
	if (measured_fd >= 0)
		close(measured_fd);
	return result;
}

const struct command top_command = {
	.object = "top",
	.summary = "show the rates of all objects, groups, workers and programs, as top(1) does",
	.tables = { { opts, &options } },
	.options = &options,
	.run = run,
	.help = "Needs a terminal, unless --once or -j is given; -j prints a line each interval.\n"
		"The kernel measures BPF programs while the command runs, if it has CAP_SYS_ADMIN.\n"
		"\n"
		"keys:\n"
		"  < >, left, right           sort by the previous, the next column; r reverses\n"
		"  up, down, page, home, end  scroll\n"
		"  Ctrl-L                     redraw\n"
		"  q                          quit\n"
		"\n"
		"columns:\n"
		"  /s      replies fixed or audited (reply), packets rewritten (wire), datagrams\n"
		"          (steer), keepalives (hold), requests answered (rendezvous), per second\n"
		"  new/s   new flows, or registrations (rendezvous), per second\n"
		"  lost/s  drops, evictions and refusals per second\n"
		"  flows   live flows, or registered peers; use% is the usage of their table; for a\n"
		"          worker, of its receive queue\n"
		"  cpu%    run time of the programs in percent of a CPU; runs/s and ns/run: their runs\n"
		"Unknown values are '-'.  See sluice-top(8).\n"
		"\n"
		"examples:\n"
		"  sluice top\n"
		"  sluice top --once --sort lost\n"
		"  sluice -j top --interval 10 | jq -c '.rows[] | select(.lost_per_s > 0)'\n",
};
