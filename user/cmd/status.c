// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * sluice status: the daemon, modes, table usage and counters, and the order of the programs on each
 * hook.
 */
#include "cmd/command.h"
#include "cmd/daemon_view.h"
#include "cmd/hold/view.h"
#include "cmd/hook_order.h"
#include "cmd/reply/view.h"
#include "cmd/steer/status_view.h"
#include "host/cleanup.h"
#include "kernel/links.h"
#include "kernel/pins.h"

#include <errno.h>
#include <string.h>

/* The state of the daemon and of all objects. */
struct status {
	struct daemon_status daemon;
	struct reply_loaded loaded;
	struct steer_view steer;
	struct hold_view hold;
	bool has_steer;
	bool has_hold;
};

static void print_json(const struct output *output, const struct status *status)
{
	const struct reply_loaded *loaded = &status->loaded;
	json_t *document = output_document();

	json_object_set_new(document, "version", json_string(SLUICE_VERSION));
	json_object_set_new(document, "daemon", daemon_view_json(&status->daemon));
	reply_loaded_json(loaded, document);
	json_object_set_new(document, "steer",
			    status->has_steer ? steer_status_json(&status->steer) : json_null());
	json_object_set_new(document, "hold",
			    status->has_hold ? hold_view_json(&status->hold) : json_null());
	json_object_set_new(document, "hooks", hook_order_json(loaded));
	output_json(output, document);
}

static void print_text(const struct output *output, const struct status *status, const char *bpffs)
{
	const struct reply_loaded *loaded = &status->loaded;
	struct err elsewhere = { 0 };

	daemon_view_text(&status->daemon, output);
	if (!loaded->has_reply && !loaded->has_wire)
		fprintf(output->file, "reply: not loaded (no %s/reply, no %s/wire)\n", bpffs,
			bpffs);
	if (loaded->has_reply)
		reply_view_text(&loaded->reply, output);
	if (loaded->has_wire)
		wire_view_text(&loaded->wire, output);
	if (loaded->has_reply || loaded->has_wire)
		hook_order_text(loaded, output);
	if (status->has_steer)
		steer_status_text(&status->steer, output);
	else
		fprintf(output->file, "steer: not loaded (no %s/steer)\n", bpffs);
	if (status->has_hold)
		hold_view_text(&status->hold, output);
	else
		fprintf(output->file, "hold: not loaded (no %s/hold)\n", bpffs);
	if (loaded->has_reply || loaded->has_wire || status->has_steer || status->has_hold)
		return;
	/* Without this hint, a wrong --bpffs would look like a clean host. */
	cleanup_hint_elsewhere(bpffs, &elsewhere);
	if (elsewhere.hint[0])
		fprintf(output->file, "%s\n", elsewhere.hint);
}

static int run(const struct context *context, void *into, int words, char **word, struct err *err)
{
	struct status status = { 0 };
	int result = reply_loaded_read(context->bpffs, &status.loaded, err);

	links_libbpf_log();
	if (result)
		goto out;
	result = steer_status_read(context->bpffs, &status.steer, &status.has_steer, err);
	if (result)
		goto out;
	result = pins_exist(context->bpffs, "hold", err);
	status.has_hold = result > 0;
	if (status.has_hold)
		result = hold_view_read(context->bpffs, &status.hold, err);
	if (result)
		goto out;
	daemon_status_read(context->bpffs, &status.daemon);
	if (context->output.json)
		print_json(&context->output, &status);
	else
		print_text(&context->output, &status, context->bpffs);
out:
	daemon_status_free(&status.daemon);
	reply_loaded_free(&status.loaded);
	steer_view_free(&status.steer);
	return result;
}

const struct command status_command = {
	.object = "status",
	.summary =
		"show the daemon, modes, table usage, counters, and the order of programs on each hook",
	.run = run,
};
