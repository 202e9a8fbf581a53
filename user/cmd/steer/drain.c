// SPDX-License-Identifier: GPL-2.0-or-later
/* sluice steer drain PID: drains a process, so that it can exit without losing a datagram. */
#include "steer/drain.h"
#include "cmd/command.h"
#include "host/cgroup_root.h"
#include "host/cleanup.h"
#include "kernel/links.h"
#include "kernel/mounts.h"
#include "steer/events.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>

static struct options {
	__u64 idle_s;
	__u64 limit_s;
	__u64 wait_s;
	bool dry_run;
} options;

#define DRAIN_FIELD(field) offsetof(struct options, field)

static const struct opt opts[] = {
	{ "idle", 0, "SECONDS", opt_u64, DRAIN_FIELD(idle_s),
	  "idle time after which a flow has ended", .max = 86400,
	  .preset = OPT_TEXT(STEER_DRAIN_IDLE_DEFAULT) },
	{ "limit", 0, "SECONDS", opt_u64, DRAIN_FIELD(limit_s),
	  "maximum wait for flows to end; the remaining flows then move", .max = 86400,
	  .preset = OPT_TEXT(STEER_DRAIN_LIMIT_DEFAULT) },
	{ "wait", 0, "SECONDS", opt_u64, DRAIN_FIELD(wait_s),
	  "maximum wait for another process that takes the flows, such as a new instance that"
	  " opens its sockets",
	  .max = 86400, .preset = "0" },
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
		json_pack("{s:I, s:b, s:i, s:I, s:I, s:I, s:I, s:I, s:i, s:b, s:b, s:b, s:f}",
			  "pid", (json_int_t)options->pid, "dry_run", options->dry_run, "sockets",
			  result->sockets, "flows", (json_int_t)result->flows, "flows_left",
			  (json_int_t)result->flows_left, "datagrams_lost",
			  (json_int_t)(result->unread + result->dropped), "datagrams_unread",
			  (json_int_t)result->unread, "datagrams_dropped",
			  (json_int_t)result->dropped, "closed_early", result->early, "exited",
			  result->exited, "limit_reached", result->limit, "stalled",
			  result->stalled, "took_s", (double)result->took_ms / 1000));
	output_json(&context->output, document);
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
		" datagrams lost: %llu\n",
		options->pid, result->took_ms / 1000.0,
		result->exited	? ", as it exited"
		: result->limit ? ", at the limit"
				: "",
		result->sockets, result->sockets == 1 ? "" : "s", result->flows,
		result->flows == 1 ? "" : "s", result->flows_left,
		result->flows_left ? " (they move)" : "", result->unread + result->dropped);
}

/* Returns 0 if the process has read every datagram, or -errno with *err set. */
static int classify(__u32 pid, const struct steer_drain_result *result, struct err *err)
{
	if (result->unread)
		return err_hint(err,
				err_set(err, EXIT_ERROR, EIO,
					"steer drain: process %u has left %llu datagram%s unread",
					pid, result->unread, result->unread == 1 ? "" : "s"),
				result->stalled ? "it has stopped reading: see 'sluice steer show'"
						: "stop the process only after the drain");
	if (result->dropped)
		return err_hint(err,
				err_set(err, EXIT_ERROR, EIO,
					"steer drain: full receive queues have dropped %llu"
					" datagram%s",
					result->dropped, result->dropped == 1 ? "" : "s"),
				"raise the server's receive buffer, or drain at a quieter time");
	if (result->early)
		return err_hint(err,
				err_set(err, EXIT_ERROR, EIO,
					"steer drain: process %u has closed %d socket%s that still"
					" received: datagrams in flight may be lost",
					pid, result->early, result->early == 1 ? "" : "s"),
				"stop the process only after the drain");
	return 0;
}

static int run(const struct context *context, void *into, int words, char **word, struct err *err)
{
	const struct options *given = into;
	struct steer_drain_options drain = { .bpffs = context->bpffs,
					     .idle_ms = (__u32)given->idle_s * 1000,
					     .limit_ms = (__u32)given->limit_s * 1000,
					     .wait_ms = (__u32)given->wait_s * 1000,
					     .dry_run = given->dry_run,
					     .interrupted = &interrupted,
					     .fn = steer_event_lapsed };
	/* a signal undoes the drain, even SIGHUP from a closed terminal */
	struct sigaction action = { .sa_handler = on_signal };
	struct steer_drain_result result;
	char cgroup[PATH_MAX];
	uint64_t pid;
	int failed;

	if (!words)
		return err_hint(err, err_set(err, EXIT_USAGE, EINVAL, "steer drain needs a PID"),
				"'sluice steer show' lists the processes that have sockets");
	failed = opt_number("process id", word[0], 1, 4194304, &pid, err);
	if (failed)
		return failed;
	drain.pid = (__u32)pid;
	/* a container sees only a subtree, but can drain only servers in it */
	if (!cgroup_root_path(context, cgroup, &(struct err){ 0 }) ||
	    !mounts_cgroup2(cgroup, sizeof(cgroup)))
		drain.cgroup = cgroup;
	links_libbpf_log();
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	failed = steer_drain(&drain, &result, err);
	if (failed)
		return cleanup_hint_not_loaded(context->bpffs, "steer", failed, err);
	if (context->output.json)
		print_json(context, &drain, &result);
	else
		print_text(context, &drain, &result);
	return drain.dry_run ? 0 : classify(drain.pid, &result, err);
}

const struct command steer_drain_command = {
	.object = "steer",
	.name = "drain",
	.summary = "drain a process, so that it can exit without losing a datagram",
	.words = "PID",
	.max_words = 1,
	.tables = { { opts, &options } },
	.options = &options,
	.changes = true,
	.run = run,
	.help = "The process gets no new flows and keeps its flows until they are idle.  Then its flows\n"
		"move to the other workers, and the command waits until the process has read its\n"
		"queues.  Then the process can exit.  Flows that are still busy at the limit move,\n"
		"too.  An interrupted drain is undone.\n"
		"\n"
		"PID is any process of the server that holds one of its sockets, or was started with\n"
		"such a process; all sockets of the server are drained.\n"
		"The exit status is 0 only if no datagram was lost.  Datagrams are lost if the process\n"
		"exits or stops reading before its queues are empty, or if a queue is full.\n\n"
		"example, a restart (sluice-steer(8) has the lines for a systemd unit):\n"
		"  OLD=$(pgrep -o -x unbound)\n"
		"  unbound -d &\n"
		"  sluice steer drain $OLD --wait 10 && kill $OLD\n",
};
