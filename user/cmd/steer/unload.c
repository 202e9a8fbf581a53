// SPDX-License-Identifier: GPL-2.0-or-later
/* sluice steer unload: give the groups back to the kernel's own choice. */
#include "cmd/command.h"
#include "kernel/links.h"
#include "steer/events.h"
#include "steer/steer.h"

#include <errno.h>

struct report {
	const struct output *output;
	json_t *events;
};

static void on_events(const struct steer_event *news, void *arg)
{
	struct report *report = arg;
	char text[512];

	if (report->events)
		json_array_append_new(report->events, steer_event_json(news));
	else
		fprintf(report->output->file, "  %s\n", steer_event_text(news, text, sizeof(text)));
}

static int run(const struct context *context, void *into, int words, char **word, struct err *err)
{
	struct report report = { &context->output, NULL };
	struct sluice_steer_meta meta;
	int removed;

	links_libbpf_log();
	report.events = context->output.json ? json_array() : NULL;
	removed = steer_unload(context->bpffs, false, on_events, &report, err);
	if (removed > 0 && report.events) {
		json_t *document = output_document();

		json_object_set_new(document, "removed_pins", json_integer(removed));
		json_object_set(document, "events", report.events);
		output_json(&context->output, document);
	} else if (removed > 0) {
		fprintf(context->output.file, "steer: unloaded\n");
	}
	json_decref(report.events);
	if (removed)
		return removed < 0 ? removed : 0;
	return steer_read(context->bpffs, &meta, err);
}

const struct command steer_unload_command = {
	.object = "steer",
	.name = "unload",
	.summary = "give the groups back to the kernel's own choice",
	.run = run,
	.help = "No datagram is lost; flows go where the kernel's hash puts them.\n",
};
