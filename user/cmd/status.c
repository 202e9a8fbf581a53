// SPDX-License-Identifier: GPL-2.0-or-later
/* sluice status: every hook, the order among the programs on it, mode, table fill, counters. */
#include "cmd/command.h"
#include "cmd/reply/view.h"
#include "cmd/steer/summary.h"
#include "kernel/links.h"

#include <errno.h>
#include <string.h>

static json_t *order_json(const struct reply_view *view)
{
	struct hook_prog progs[HOOK_PROGS_MAX];
	json_t *hooks = json_array();
	int i;

	for (i = 0; i < view->state.hook_count; i++) {
		const struct hook_state *hook = &view->state.hooks[i];

		json_array_append_new(
			hooks,
			hook_order_json(json_string(hook_type_name(hook->attach_type)), progs,
					hook_order(view->cgroup, hook->attach_type, progs),
					hook->prog_id));
	}
	return hooks;
}

static void order_text(const struct reply_view *view, const struct output *output)
{
	struct table *table = table_new(HOOK_ORDER_COLUMNS);
	struct hook_prog progs[HOOK_PROGS_MAX];
	int i;

	for (i = 0; i < view->state.hook_count; i++) {
		const struct hook_state *hook = &view->state.hooks[i];

		hook_order_row(table, hook_type_name(hook->attach_type), progs,
			       hook_order(view->cgroup, hook->attach_type, progs), hook->prog_id);
	}
	table_print(table, output, 2);
}

static void print_json(const struct output *output, const struct reply_loaded *loaded,
		       const struct steer_view *steer)
{
	json_t *document = output_document();
	json_t *hooks = loaded->has_reply ? order_json(&loaded->reply) : json_array();
	json_t *wire_hooks = loaded->has_wire ? wire_order_json(&loaded->wire) : json_array();

	json_array_extend(hooks, wire_hooks);
	json_decref(wire_hooks);
	json_object_set_new(document, "version", json_string(SLUICE_VERSION));
	reply_loaded_json(loaded, document);
	json_object_set_new(document, "steer", steer ? steer_status_json(steer) : json_null());
	json_object_set_new(document, "hooks", hooks);
	output_json(output, document);
}

static void print_text(const struct output *output, const struct reply_loaded *loaded,
		       const struct steer_view *steer, const char *bpffs)
{
	if (!loaded->has_reply && !loaded->has_wire)
		fprintf(output->file, "reply: not loaded (no %s/reply, no %s/wire)\n", bpffs,
			bpffs);
	if (loaded->has_reply) {
		reply_view_text(&loaded->reply, output);
		order_text(&loaded->reply, output);
	}
	if (loaded->has_wire) {
		wire_view_text(&loaded->wire, output);
		wire_order_text(&loaded->wire, output);
	}
	if (steer)
		steer_status_text(steer, output);
	else
		fprintf(output->file, "steer: not loaded (no %s/steer)\n", bpffs);
}

static int run(const struct context *context, void *into, int words, char **word, struct err *err)
{
	struct reply_loaded loaded;
	struct steer_view steer = { 0 };
	bool steered = false;
	const struct steer_view *steered_view;
	int result = reply_loaded_read(context->bpffs, &loaded, err);

	links_libbpf_log();
	if (result)
		goto out;
	result = steer_status_read(context->bpffs, &steer, &steered, err);
	if (result)
		goto out;
	steered_view = steered ? &steer : NULL;
	if (context->output.json)
		print_json(&context->output, &loaded, steered_view);
	else
		print_text(&context->output, &loaded, steered_view, context->bpffs);
out:
	reply_loaded_free(&loaded);
	steer_view_free(&steer);
	return result;
}

const struct command status_command = {
	.object = "status",
	.summary = "every hook, its order among other programs, mode, table fill, counters",
	.run = run,
};
