// SPDX-License-Identifier: GPL-2.0-or-later
/* sluice status: modes, table usage and counters, and the order of the programs on each hook. */
#include "cmd/command.h"
#include "cmd/hold/view.h"
#include "cmd/reply/view.h"
#include "cmd/steer/summary.h"
#include "kernel/links.h"
#include "kernel/pins.h"

#include <errno.h>
#include <string.h>

static void print_json(const struct output *output, const struct reply_loaded *loaded,
		       const struct steer_view *steer, const struct hold_view *hold)
{
	const struct reply_view *reply = &loaded->reply;
	json_t *document = output_document(), *hooks = json_array();
	struct hook_prog progs[HOOK_PROGS_MAX];
	int i;

	for (i = 0; loaded->has_reply && i < reply->state.hook_count; i++) {
		const struct hook_state *hook = &reply->state.hooks[i];

		json_array_append_new(
			hooks,
			hook_order_json(json_string(hook_type_name(hook->attach_type)), progs,
					hook_order(reply->cgroup, hook->attach_type, progs),
					hook->prog_id));
	}
	if (loaded->has_wire) {
		json_t *wire_hooks = wire_order_json(&loaded->wire);

		json_array_extend(hooks, wire_hooks);
		json_decref(wire_hooks);
	}
	json_object_set_new(document, "version", json_string(SLUICE_VERSION));
	reply_loaded_json(loaded, document);
	json_object_set_new(document, "steer", steer ? steer_status_json(steer) : json_null());
	json_object_set_new(document, "hold", hold ? hold_view_json(hold) : json_null());
	json_object_set_new(document, "hooks", hooks);
	output_json(output, document);
}

static void print_text(const struct output *output, const struct reply_loaded *loaded,
		       const struct steer_view *steer, const struct hold_view *hold,
		       const char *bpffs)
{
	const struct reply_view *reply = &loaded->reply;
	struct table *table = table_new(HOOK_ORDER_COLUMNS);
	struct hook_prog progs[HOOK_PROGS_MAX];
	int i;

	if (!loaded->has_reply && !loaded->has_wire)
		fprintf(output->file, "reply: not loaded (no %s/reply, no %s/wire)\n", bpffs,
			bpffs);
	if (loaded->has_reply)
		reply_view_text(reply, output);
	for (i = 0; loaded->has_reply && i < reply->state.hook_count; i++) {
		const struct hook_state *hook = &reply->state.hooks[i];

		hook_order_row(table, hook_type_name(hook->attach_type), progs,
			       hook_order(reply->cgroup, hook->attach_type, progs), hook->prog_id);
	}
	table_print(table, output, 2);
	if (loaded->has_wire) {
		wire_view_text(&loaded->wire, output);
		wire_order_text(&loaded->wire, output);
	}
	if (steer)
		steer_status_text(steer, output);
	else
		fprintf(output->file, "steer: not loaded (no %s/steer)\n", bpffs);
	if (hold)
		hold_view_text(hold, output);
	else
		fprintf(output->file, "hold: not loaded (no %s/hold)\n", bpffs);
}

static int run(const struct context *context, void *into, int words, char **word, struct err *err)
{
	struct reply_loaded loaded;
	struct steer_view steer = { 0 };
	struct hold_view hold;
	bool has_steer = false, has_hold = false;
	int result = reply_loaded_read(context->bpffs, &loaded, err);

	links_libbpf_log();
	if (result)
		goto out;
	result = steer_status_read(context->bpffs, &steer, &has_steer, err);
	if (result)
		goto out;
	result = pins_exist(context->bpffs, "hold", err);
	has_hold = result > 0;
	if (has_hold)
		result = hold_view_read(context->bpffs, &hold, err);
	if (result)
		goto out;
	if (context->output.json)
		print_json(&context->output, &loaded, has_steer ? &steer : NULL,
			   has_hold ? &hold : NULL);
	else
		print_text(&context->output, &loaded, has_steer ? &steer : NULL,
			   has_hold ? &hold : NULL, context->bpffs);
out:
	reply_loaded_free(&loaded);
	steer_view_free(&steer);
	return result;
}

const struct command status_command = {
	.object = "status",
	.summary = "show modes, table usage, counters, and the order of programs on each hook",
	.run = run,
};
