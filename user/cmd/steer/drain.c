// SPDX-License-Identifier: GPL-2.0-or-later
/* sluice steer drain PID: take a process out of its groups, so that it can end without a loss. */
#include "steer/drain.h"
#include "cmd/command.h"
#include "kernel/links.h"
#include "steer/events.h"

#include <errno.h>
#include <signal.h>

static struct options {
	__u64 idle_s;
	__u64 limit_s;
	bool dry_run;
} given;

#define DRAIN_FIELD(field) offsetof(struct options, field)

static const struct opt opts[] = {
	{ "idle", 0, "SECONDS", opt_u64, DRAIN_FIELD(idle_s),
	  "how long a flow must be idle until it is done", .max = 86400,
	  .preset = OPT_TEXT(STEER_DRAIN_IDLE_DEFAULT) },
	{ "limit", 0, "SECONDS", opt_u64, DRAIN_FIELD(limit_s),
	  "how long to wait for flows; those left then move", .max = 86400,
	  .preset = OPT_TEXT(STEER_DRAIN_LIMIT_DEFAULT) },
	{ "dry-run", 'n', NULL, opt_switch, DRAIN_FIELD(dry_run),
	  "count the flows, change nothing" },
	{ .name = NULL },
};

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
	interrupted = 1;
}

static void print_json(const struct context *context, const struct steer_drain_options *options,
		       const struct steer_drain_result *result)
{
	json_t *document = output_document();

	json_object_update_new(
		document,
		json_pack("{s:I, s:b, s:i, s:I, s:I, s:I, s:I, s:b, s:b, s:f}", "pid",
			  (json_int_t)options->pid, "dry_run", options->dry_run, "sockets",
			  result->sockets, "flows", (json_int_t)result->flows, "flows_left",
			  (json_int_t)result->flows_left, "datagrams_moved",
			  (json_int_t)result->moved, "datagrams_lost", (json_int_t)result->lost,
			  "exited", result->exited, "limit_reached", result->limit, "took_s",
			  (double)result->took_ms / 1000));
	output_json(&context->output, document);
}

static void print_text(const struct context *context, const struct steer_drain_options *options,
		       const struct steer_drain_result *result)
{
	if (options->dry_run) {
		fprintf(context->output.file,
			"steer: process %u has %d sockets and %u flows, %u of them busy\n",
			options->pid, result->sockets, result->flows, result->flows_left);
		return;
	}
	fprintf(context->output.file,
		"steer: process %u drained in %.1f s%s: %d sockets; %u flows, %u left%s;"
		" datagrams: %llu moved, %llu lost\n",
		options->pid, result->took_ms / 1000.0,
		result->exited	? ", when it ended"
		: result->limit ? ", at the limit"
				: "",
		result->sockets, result->flows, result->flows_left,
		result->flows_left ? " (they move)" : "", result->moved, result->lost);
}

static int process_parse(const char *word, __u32 *pid, struct err *err)
{
	uint64_t number;
	int result = opt_number("process id", word, 1, 4194304, &number, err);

	if (!result)
		*pid = (__u32)number;
	return result;
}

/* An interrupted drain is undone, not left half way; a lost terminal interrupts it, too. */
static void catch_signals(void)
{
	struct sigaction action = { .sa_handler = on_signal };

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
}

static int run(const struct context *context, void *into, int words, char **word, struct err *err)
{
	const struct options *wanted = into;
	struct steer_drain_options options = { .bpffs = context->bpffs,
					       .idle_ms = (__u32)wanted->idle_s * 1000,
					       .limit_ms = (__u32)wanted->limit_s * 1000,
					       .dry_run = wanted->dry_run,
					       .interrupted = &interrupted,
					       .fn = steer_event_lapsed };
	struct steer_drain_result result;
	int failed;

	if (!words)
		return err_hint(err, err_set(err, EXIT_USAGE, EINVAL, "steer drain needs a PID"),
				"'sluice steer show' lists the processes that have sockets");
	failed = process_parse(word[0], &options.pid, err);
	if (failed)
		return failed;
	links_libbpf_log();
	catch_signals();
	failed = steer_drain(&options, &result, err);
	if (failed)
		return failed;
	if (context->output.json)
		print_json(context, &options, &result);
	else
		print_text(context, &options, &result);
	if (result.lost)
		return err_hint(err,
				err_set(err, EXIT_ERROR, EIO, "steer drain: %llu datagrams lost",
					result.lost),
				"the queues were too full: raise the server's receive buffer, or"
				" drain at a quieter time");
	return 0;
}

const struct command steer_drain_command = {
	.object = "steer",
	.name = "drain",
	.summary = "take a process out of its groups, so that it can end without a loss",
	.words = "PID",
	.max_words = 1,
	.tables = { { opts, &given } },
	.options = &given,
	.run = run,
	.help = "The process gets no new flows; its flows stay with it until they are idle; then it\n"
		"gets no datagrams at all, and when its queues are empty the command returns: now the\n"
		"process may end.  Datagrams that it leaves unread are sent anew to the others.\n"
		"Flows still busy at the limit move.  Interrupted, it takes all back.\n"
		"\n"
		"PID is the server's or any of its workers'; all of their sockets are drained.\n"
		"Ends with 0 only if no datagram was lost.\n\n"
		"example, a restart:\n"
		"  unbound -c new.conf && sluice steer drain $OLD && kill $OLD\n",
};
