// SPDX-License-Identifier: GPL-2.0-or-later
/* sluice steer promote PID: directs new flows to one instance of a server. */
#include "steer/promote.h"
#include "cmd/command.h"
#include "host/cleanup.h"
#include "kernel/links.h"
#include "steer/events.h"

#include <errno.h>

static void print(const struct context *context, __u32 pid,
		  const struct steer_promote_result *result)
{
	json_t *document;

	if (context->output.json) {
		document = output_document();
		json_object_update_new(
			document,
			json_pack("{s:I, s:b, s:i, s:i, s:i}", "pid", (json_int_t)pid, "changed",
				  !result->current, "groups", result->groups, "sockets",
				  result->sockets, "sockets_retired", result->retired));
		output_json(&context->output, document);
		return;
	}
	fprintf(context->output.file,
		"steer: new flows go to process %u%s: %d socket%s in %d group%s; %d other%s"
		" only keep%s flows\n",
		pid, result->current ? " already" : "", result->sockets,
		result->sockets == 1 ? "" : "s", result->groups, result->groups == 1 ? "" : "s",
		result->retired, result->retired == 1 ? "" : "s",
		result->retired == 1 ? "s its" : " their");
}

static int run(const struct context *context, void *into, int words, char **word, struct err *err)
{
	struct steer_promote_options options = { .bpffs = context->bpffs,
						 .fn = steer_event_lapsed };
	struct steer_promote_result result;
	uint64_t pid;
	int failed;

	if (!words)
		return err_hint(err, err_set(err, EXIT_USAGE, EINVAL, "steer promote needs a PID"),
				"'sluice steer show' lists the processes that have sockets");
	failed = opt_number("process id", word[0], 1, 4194304, &pid, err);
	if (failed)
		return failed;
	options.pid = (__u32)pid;
	links_libbpf_log();
	failed = steer_promote(&options, &result, err);
	if (!failed)
		print(context, options.pid, &result);
	return cleanup_hint_not_loaded(context->bpffs, "steer", failed, err);
}

const struct command steer_promote_command = {
	.object = "steer",
	.name = "promote",
	.summary = "direct new flows to one instance of a server",
	.words = "PID",
	.max_words = 1,
	.changes = true,
	.run = run,
	.help = "The sockets of the server that PID belongs to take all new flows of their groups.\n"
		"The other sockets keep their flows.  To go back, promote another instance.  A later\n"
		"restart of the server is recognised as usual.  Promoting a drained process undoes\n"
		"the drain.\n"
		"\n"
		"PID is any process of the server that holds one of its sockets, or was started with\n"
		"such a process.\n\n"
		"example, an instance of one socket that 'steer load' regards as one more worker:\n"
		"  systemctl start kresd@2\n"
		"  sluice steer promote $(systemctl show --value -p MainPID kresd@2)\n",
};
