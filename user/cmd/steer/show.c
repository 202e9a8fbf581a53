// SPDX-License-Identifier: GPL-2.0-or-later
/* sluice steer show: groups, workers, flows and the balance of datagrams, once or repeatedly. */
#include "cmd/command.h"
#include "kernel/links.h"
#include "steer/cpu/spread_text.h"
#include "steer/events.h"
#include "steer/view.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

/* Interval between two samples of a full queue: long enough for a live worker to read something. */
#define PROGRESS_MS 250

/* ECMA-48, and xterm's private modes for the cursor and for wrapping */
#define TERM_START   "\033[?25l\033[?7l\033[H\033[2J"
#define TERM_HOME    "\033[H"
#define TERM_LINE    "\033[K\n"
#define TERM_REST    "\033[J"
#define TERM_RESTORE "\033[?7h\033[?25h"

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
 * Reads a view, and undoes a drain whose process was killed, so that its workers get new flows
 * again. Without the permission to do so, shows the view as it is.
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

/* Overwrites the screen, with no more lines than it has: more would scroll it. */
static void screen_write(const char *text, FILE *file)
{
	struct winsize size = { 0 };
	size_t left = (size_t)-1;

	if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_row > 1)
		left = size.ws_row - 1u;
	fputs(TERM_HOME, file);
	for (; *text && left; left--) {
		size_t length = strcspn(text, "\n");

		fwrite(text, 1, length, file);
		fputs(TERM_LINE, file);
		text += length + (text[length] == '\n');
	}
	fputs(TERM_REST, file);
}

static int refresh(const struct context *context, bool screen, const struct steer_view *before,
		   struct steer_view *view, struct err *err)
{
	struct output memory = context->output;
	char *text = NULL;
	size_t size;
	int result = view_read(context->bpffs, before, view, err);

	if (result)
		return result;
	if (!screen) {
		print(view, before, context->bpffs, &context->output);
	} else {
		memory.file = open_memstream(&text, &size);
		if (!memory.file)
			return err_set(err, EXIT_ERROR, ENOMEM, "steer show: out of memory");
		print(view, before, context->bpffs, &memory);
		if (fclose(memory.file))
			result = err_set(err, EXIT_ERROR, ENOMEM, "steer show: out of memory");
		else
			screen_write(text, context->output.file);
		free(text);
		if (result)
			return result;
	}
	if (fflush(context->output.file))
		return err_set(err, EXIT_ERROR, errno, "standard output: %s", strerror(errno));
	return 0;
}

static int watch_loop(const struct context *context, unsigned int seconds, bool screen,
		      const sigset_t *ends, struct err *err)
{
	const struct timespec pause = { .tv_sec = seconds };
	struct steer_view views[2] = { 0 };
	bool ended = false;
	int at = 0, result = refresh(context, screen, NULL, &views[at], err);

	while (!result && !ended) {
		int number = sigtimedwait(ends, NULL, &pause);

		ended = number > 0;
		if (ended || errno == EINTR)
			continue;
		steer_view_free(&views[!at]);
		result = refresh(context, screen, &views[at], &views[!at], err);
		at = !at;
	}
	steer_view_free(&views[0]);
	steer_view_free(&views[1]);
	return result;
}

/* Blocks the signals, which watch_loop() receives, so that the terminal is always restored. */
static int watch(const struct context *context, unsigned int seconds, struct err *err)
{
	bool screen = !context->output.json && isatty(fileno(context->output.file));
	sigset_t ends, before;
	int result;

	sigemptyset(&ends);
	sigaddset(&ends, SIGINT);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGHUP);
	sigprocmask(SIG_BLOCK, &ends, &before);
	if (screen)
		fputs(TERM_START, context->output.file);
	result = watch_loop(context, seconds, screen, &ends, err);
	if (screen) {
		fputs(TERM_RESTORE, context->output.file);
		fflush(context->output.file);
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
	return result;
}

static int run(const struct context *context, void *into, int words, char **word, struct err *err)
{
	const struct options *given = into;

	links_libbpf_log();
	return given->watch_s ? watch(context, given->watch_s, err) : show(context, err);
}

const struct command steer_show_command = {
	.object = "steer",
	.name = "show",
	.summary = "groups, workers, flows and the balance of datagrams",
	.tables = { { opts, &options } },
	.options = &options,
	.run = run,
	.help = "The bar of each worker is its share of the datagrams, relative to the busiest worker.\n"
		"queue is the usage of the receive queue; drops counts since the socket joined.\n"
		"Both need CAP_SYS_PTRACE.  cpu is known under policy cpu only.  gen is the\n"
		"generation: the number of the server's start, from 1.  Unknown values are '-'.\n"
		"\n"
		"state:\n"
		"  active    takes new flows\n"
		"  retired   keeps its flows and takes no new ones: a newer generation does\n"
		"  draining  'sluice steer drain' is emptying it; drained: it gets no more datagrams\n"
		"  stalled   its queue is full, and the worker reads nothing\n"
		"  closed    its socket is closed, and the next sweep removes it from the group\n"
		"\n"
		"The last tables are the counters of each network namespace, for all its ports.\n"
		"Datagrams that neither they nor steering account for are unexplained.\n"
		"\n"
		"--watch refreshes a terminal in place until it is interrupted.  Otherwise it\n"
		"prints one report after another, with -j one a line.\n\n"
		"examples:\n"
		"  sluice steer show\n"
		"  sluice steer show --watch 1\n"
		"  sluice -j steer show | jq '.groups[].imbalance'\n",
};
