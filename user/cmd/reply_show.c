// SPDX-License-Identifier: GPL-2.0-or-later
/* sluice reply show: settings, hooks, table fill and counters. */
#include "command.h"
#include "reply_view.h"

static int run(const struct context *context, void *into, int words, char **word, struct err *err)
{
	struct reply_view view;
	int result = reply_view_read(context->bpffs, &view, err);

	if (result)
		return result;
	if (context->output.json) {
		json_t *document = output_document();

		json_object_set_new(document, "reply", reply_view_json(&view));
		output_json(&context->output, document);
	} else {
		reply_view_text(&view, &context->output);
	}
	return 0;
}

const struct command reply_show_command = {
	.object = "reply",
	.name = "show",
	.summary = "what is attached where, how full the table is, every counter",
	.run = run,
	.help = "The program and link ids are the kernel's: 'bpftool prog show id N' and\n"
		"'bpftool link show id N' name the same.  Counters that are 0 are left out of the\n"
		"text; -j has them all.  Runs and their cost need 'sysctl kernel.bpf_stats_enabled=1'.\n",
};
