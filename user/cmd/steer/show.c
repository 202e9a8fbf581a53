// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * sluice steer show: prints groups, workers, flows and the balance of datagrams, once or
 * repeatedly.
 */
#include "cmd/command.h"
#include "cmd/screen.h"
#include "host/cleanup.h"
#include "kernel/links.h"
#include "steer/cpu/spread_text.h"
#include "steer/events.h"
#include "steer/view.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Interval between two samples of a full queue; a live worker reads within this time. */
#define PROGRESS_MS 250

static struct options {
	__u32 watch_s; /* 0: once */
} options;

static const struct opt opts[] = {
	{ "watch", 'w', "[SECONDS]", opt_u32, offsetof(struct options, watch_s),
	  "repeat every SECONDS (default 2), with rates", .min = 1, .max = 3600, .bare = "2" },
	{ .name = NULL },
};

static void print(const struct steer_view *view, bool rates, const char *bpffs,
		  const struct output *output)
{
	struct spread xdp;
	bool spread = !spread_read(bpffs, &xdp, &(struct err){ 0 });
	json_t *document;

	if (!output->json) {
		steer_view_text(view, rates, output);
		if (spread)
			spread_print(output, &xdp);
		return;
	}
	document = output_document();
	json_object_update_new(document, steer_view_json(view, rates));
	if (spread)
		json_object_set_new(document, "xdp", spread_json(&xdp));
	output_json(output, document);
}

/*
 * Reads a view. Undoes killed drains, so that their workers get new flows again. Without the
 * permission to do so, returns the view unchanged.
 */
static int view_read(const char *bpffs, const struct steer_view *before, struct steer_view *view,
		     struct err *err)
{
	int result = steer_view_read(bpffs, before, view, err);
	struct steer_loader loader = { 0 };
	struct err ignored;
	int failed;

	if (result || !view->lapsed)
		return result;
	failed = steer_sweep(&loader, bpffs, steer_event_lapsed, NULL, &ignored);
	steer_loader_close(&loader);
	if (failed)
		return 0;
	steer_view_free(view);
	return steer_view_read(bpffs, before, view, err);
}

/* --- once */

static int show(const struct context *context, struct err *err)
{
	const struct timespec pause = { .tv_nsec = PROGRESS_MS * 1000000L };
	struct steer_view first, second = { 0 };
	int result = view_read(context->bpffs, NULL, &first, err);

	if (!result && steer_view_any_full(&first)) {
		nanosleep(&pause, NULL);
		result = view_read(context->bpffs, &first, &second, err);
	}
	if (!result)
		print(second.at_ns ? &second : &first, false, context->bpffs, &context->output);
	steer_view_free(&first);
	steer_view_free(&second);
	return result;
}

/* --- repeatedly */

static int refresh(const struct context *context, const struct screen *screen,
		   const struct steer_view *before, struct steer_view *view, struct err *err)
{
	struct output memory = context->output;
	char *text = NULL;
	size_t size;
	int result = view_read(context->bpffs, before, view, err);

	if (result)
		return result;
	if (!screen->in_place) {
		print(view, before, context->bpffs, &context->output);
	} else {
		memory.file = open_memstream(&text, &size);
		if (!memory.file)
			return err_set(err, EXIT_ERROR, ENOMEM, "steer show: out of memory");
		steer_view_screen(view, before, &memory);
		if (fclose(memory.file))
			result = err_set(err, EXIT_ERROR, ENOMEM, "steer show: out of memory");
		else
			screen_write(screen, text);
		free(text);
		if (result)
			return result;
	}
	if (fflush(context->output.file))
		return err_set(err, EXIT_ERROR, errno, "standard output: %s", strerror(errno));
	return 0;
}

static int watch(const struct context *context, unsigned int seconds, struct err *err)
{
	bool in_place = !context->output.json && isatty(fileno(context->output.file)) &&
			output_has_escapes();
	struct steer_view views[2] = { 0 };
	struct screen screen;
	int at = 0, result = screen_start(&screen, context->output.file, in_place);

	if (result)
		return err_set(err, EXIT_ERROR, -result, "steer show: %s", strerror(-result));
	result = refresh(context, &screen, NULL, &views[at], err);
	while (!result && screen_wait(&screen, seconds)) {
		steer_view_free(&views[!at]);
		result = refresh(context, &screen, &views[at], &views[!at], err);
		at = !at;
	}
	screen_end(&screen);
	steer_view_free(&views[0]);
	steer_view_free(&views[1]);
	return result;
}

static int run(const struct context *context, void *into, int words, char **word, struct err *err)
{
	const struct options *given = into;

	links_libbpf_log();
	return cleanup_hint_not_loaded(
		context->bpffs, "steer",
		given->watch_s ? watch(context, given->watch_s, err) : show(context, err), err);
}

const struct command steer_show_command = {
	.object = "steer",
	.name = "show",
	.summary = "show groups, workers, flows and the balance of datagrams",
	.tables = { { opts, &options } },
	.options = &options,
	.run = run,
	.help = "The bar of each worker is its share of the datagrams, relative to the busiest worker.\n"
		"queue is the usage of the receive queue; drops counts since the socket joined.\n"
		"Both need CAP_SYS_PTRACE.  cpu is known under policy cpu only.  gen is the\n"
		"generation: the number of starts of the server, from 1.  Unknown values are '-'.\n"
		"\n"
		"state:\n"
		"  active    takes new flows\n"
		"  retired   keeps its flows and takes no new ones: a newer generation does\n"
		"  draining  'sluice steer drain' is emptying it\n"
		"  drained   it gets no more datagrams\n"
		"  stalled   its queue is full, and the worker reads nothing\n"
		"  closed    its socket is closed, and the next sweep removes it from the group\n"
		"Sockets and groups that were opened after the load and are not steered yet are counted,\n"
		"with a hint.\n"
		"\n"
		"The last tables show the counters of each network namespace, for all its ports.\n"
		"Datagrams that neither these counters nor steering account for are unexplained.\n"
		"\n"
		"--watch refreshes a terminal in place, in a short form with the rates first, until\n"
		"'q' or an interrupt.  Elsewhere it prints one report after another; with -j, one per\n"
		"line.\n\n"
		"examples:\n"
		"  sluice steer show\n"
		"  sluice steer show --watch 1\n"
		"  sluice -j steer show | jq '.groups[].imbalance'\n",
};
