// SPDX-License-Identifier: GPL-2.0-or-later
/* sluice hold show: prints the settings, the interval, the flows by state, and the counters. */
#include "cmd/command.h"
#include "cmd/hold/view.h"
#include "host/cleanup.h"

static int run(const struct context *context, void *into, int words, char **word, struct err *err)
{
	struct hold_view view;
	json_t *document;
	int result = hold_view_read(context->bpffs, &view, err);

	if (result)
		return cleanup_hint_not_loaded(context->bpffs, "hold", result, err);
	if (context->output.json) {
		document = output_document();
		json_object_set_new(document, "hold", hold_view_json(&view));
		output_json(&context->output, document);
	} else {
		hold_view_text(&view, &context->output);
	}
	return 0;
}

const struct command hold_show_command = {
	.object = "hold",
	.name = "show",
	.summary = "show whether keepalives are sent, the interval and its source, and counters",
	.run = run,
	.help = "saved is the number of keepalives that a fixed schedule of 15 s would have sent in\n"
		"addition, since it ignores the traffic of the application.  The text omits counters\n"
		"that are 0; -j prints all of them.\n",
};
