// SPDX-License-Identifier: GPL-2.0-or-later
/* sluice steer unload: returns the groups to the kernel's socket selection. */
#include "cmd/command.h"
#include "host/cleanup.h"
#include "kernel/links.h"
#include "steer/events.h"
#include "steer/steer.h"

#include <errno.h>

struct report {
	const struct output *output;
	json_t *events;
};

static void on_event(const struct steer_event *event, void *arg)
{
	struct report *report = arg;
	char text[512];

	if (report->events)
		json_array_append_new(report->events, steer_event_json(event));
	else
		fprintf(report->output->file, "  %s\n",
			steer_event_text(event, text, sizeof(text)));
}

static int run(const struct context *context, void *into, int words, char **word, struct err *err)
{
	struct report report = { &context->output, context->output.json ? json_array() : NULL };
	struct sluice_steer_meta meta;
	json_t *document;
	int removed;

	links_libbpf_log();
	removed = steer_unload(context->bpffs, false, on_event, &report, err);
	if (removed > 0 && report.events) {
		document = output_document();
		json_object_set_new(document, "removed_pins", json_integer(removed));
		json_object_set(document, "events", report.events);
		output_json(&context->output, document);
	} else if (removed > 0) {
		fprintf(context->output.file, "steer: unloaded\n");
	}
	json_decref(report.events);
	if (removed)
		return removed < 0 ? removed : 0;
	/* sets the error if steering is not loaded */
	removed = steer_read(context->bpffs, &meta, err);
	if (removed == -ENOENT)
		err_hint(err, removed, "there is nothing to unload");
	return cleanup_hint_not_loaded(context->bpffs, "steer", removed, err);
}

const struct command steer_unload_command = {
	.object = "steer",
	.name = "unload",
	.summary = "return the groups to the kernel's own choice",
	.changes = true,
	.run = run,
	.help = "No datagram is lost; the kernel's hash then selects the worker of each flow.\n",
};
