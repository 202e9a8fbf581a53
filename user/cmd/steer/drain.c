// SPDX-License-Identifier: GPL-2.0-or-later
/* sluice steer drain PID: drains a process, so that it can exit without losing a datagram. */
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
} options;

#define DRAIN_FIELD(field) offsetof(struct options, field)

static const struct opt opts[] = {
	{ "idle", 0, "SECONDS", opt_u64, DRAIN_FIELD(idle_s),
	  "time without a datagram after which a flow has ended", .max = 86400,
	  .preset = OPT_TEXT(STEER_DRAIN_IDLE_DEFAULT) },
	{ "limit", 0, "SECONDS", opt_u64, DRAIN_FIELD(limit_s),
	  "maximum wait for flows to end; the remaining flows then move", .max = 86400,
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
	output_json(&context->output,
		    json_pack("{s:i, s:I, s:b, s:i, s:I, s:I, s:I, s:I, s:b, s:b, s:f}",
			      "schema_version", OUTPUT_SCHEMA_VERSION, "pid",
			      (json_int_t)options->pid, "dry_run", options->dry_run, "sockets",
			      result->sockets, "flows", (json_int_t)result->flows, "flows_left",
			      (json_int_t)result->flows_left, "datagrams_moved",
			      (json_int_t)result->moved, "datagrams_lost", (json_int_t)result->lost,
			      "exited", result->exited, "limit_reached", result->limit, "took_s",
			      (double)result->took_ms / 1000));
}

static void print_text(const struct context *context, const struct steer_drain_options *options,
		       const struct steer_drain_result *result)
{
	if (options->dry_run) {
		fprintf(context->output.file,
			"steer: process %u has %d socket%s and %u flow%s, %u of them busy\n",
			options->pid, result->sockets, result->sockets == 1 ? "" : "s",
			result->flows, result->flows == 1 ? "" : "s", result->flows_left);
		return;
	}
	fprintf(context->output.file,
		"steer: process %u drained in %.1f s%s: %d socket%s; %u flow%s, %u left%s;"
		" datagrams: %llu moved, %llu lost\n",
		options->pid, result->took_ms / 1000.0,
		result->exited	? ", as it exited"
		: result->limit ? ", at the limit"
				: "",
		result->sockets, result->sockets == 1 ? "" : "s", result->flows,
		result->flows == 1 ? "" : "s", result->flows_left,
		result->flows_left ? " (they move)" : "", result->moved, result->lost);
}

static int run(const struct context *context, void *into, int words, char **word, struct err *err)
{
	const struct options *given = into;
	struct steer_drain_options drain = { .bpffs = context->bpffs,
					     .idle_ms = (__u32)given->idle_s * 1000,
					     .limit_ms = (__u32)given->limit_s * 1000,
					     .dry_run = given->dry_run,
					     .interrupted = &interrupted,
					     .fn = steer_event_lapsed };
	/* an interrupted drain is undone; a lost terminal interrupts it as well */
	struct sigaction action = { .sa_handler = on_signal };
	struct steer_drain_result result;
	uint64_t pid;
	int failed;

	if (!words)
		return err_hint(err, err_set(err, EXIT_USAGE, EINVAL, "steer drain needs a PID"),
				"'sluice steer show' lists the processes that have sockets");
	failed = opt_number("process id", word[0], 1, 4194304, &pid, err);
	if (failed)
		return failed;
	drain.pid = (__u32)pid;
	links_libbpf_log();
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	failed = steer_drain(&drain, &result, err);
	if (failed)
		return failed;
	if (context->output.json)
		print_json(context, &drain, &result);
	else
		print_text(context, &drain, &result);
	if (result.lost)
		return err_hint(err,
				err_set(err, EXIT_ERROR, EIO, "steer drain: %llu datagrams lost",
					result.lost),
				"receive queues were full: raise the server's receive buffer, or"
				" drain at a quieter time");
	return 0;
}

const struct command steer_drain_command = {
	.object = "steer",
	.name = "drain",
	.summary = "drain a process, so that it can exit without losing a datagram",
	.words = "PID",
	.max_words = 1,
	.tables = { { opts, &options } },
	.options = &options,
	.run = run,
	.help = "The process gets no new flows and keeps its flows until they are idle.  Then it gets\n"
		"no more datagrams.  The command returns when the process's queues are empty: the\n"
		"process can exit now.  Datagrams that it leaves unread are sent again, to the other\n"
		"workers.  Flows that are still busy at the limit move.  An interrupted drain is\n"
		"undone.\n"
		"\n"
		"PID is the server or any of its workers; all sockets of the server are drained.\n"
		"The exit status is 0 only if no datagram was lost.\n\n"
		"example, a restart ('steer load' is not needed while 'sluice run' does it):\n"
		"  unbound -c new.conf\n"
		"  sluice steer load --port 53\n"
		"  sluice steer drain $OLD && kill $OLD\n",
};
