// SPDX-License-Identifier: GPL-2.0-or-later
/* sluice reply show: prints settings, hooks, table usage and counters of the loaded modes. */
#include "cmd/command.h"
#include "cmd/reply/view.h"

#include <errno.h>

static int run(const struct context *context, void *into, int words, char **word, struct err *err)
{
	struct reply_loaded loaded;
	int result = reply_loaded_read(context->bpffs, &loaded, err);

	if (result)
		goto out;
	if (!loaded.has_reply && !loaded.has_wire) {
		result = reply_loaded_none(context->bpffs, REPLY_LOAD_HINT, err);
	} else if (context->output.json) {
		json_t *document = output_document();

		reply_loaded_json(&loaded, document);
		output_json(&context->output, document);
	} else {
		reply_loaded_text(&loaded, &context->output);
	}
out:
	reply_loaded_free(&loaded);
	return result;
}

const struct command reply_show_command = {
	.object = "reply",
	.name = "show",
	.summary = "show attached programs, table usage and counters",
	.run = run,
	.help = "The program and link ids are the kernel's, as in 'bpftool prog show id N' and\n"
		"'bpftool link show id N'.  The text omits counters that are 0; -j prints them.\n"
		"Run counts and costs need 'sysctl kernel.bpf_stats_enabled=1'.\n",
};
