// SPDX-License-Identifier: GPL-2.0-or-later
/* sluice status: every hook, the order among the programs on it, mode, table fill, counters. */
#include "command.h"
#include "pins.h"
#include "reply_view.h"

#include <errno.h>
#include <string.h>

static json_t *order_json(const struct reply_view *view)
{
	json_t *hooks = json_array();
	int i, j;

	for (i = 0; i < view->state.hook_count; i++) {
		const struct hook_state *hook = &view->state.hooks[i];
		struct hook_prog progs[HOOK_PROGS_MAX];
		int count = hook_order(view->cgroup, hook->attach_type, progs);
		json_t *order = json_array();

		for (j = 0; j < count; j++)
			json_array_append_new(order,
					      json_pack("{s:i, s:s, s:b}", "program_id",
							progs[j].id, "program", progs[j].name,
							"ours", progs[j].id == hook->prog_id));
		json_array_append_new(hooks,
				      json_pack("{s:s, s:o}", "hook",
						hook_type_name(hook->attach_type), "order", order));
	}
	return hooks;
}

static void order_text(const struct reply_view *view, const struct output *output)
{
	struct table *table = table_new("hook|programs in order, ours in brackets");
	int i, j;

	for (i = 0; i < view->state.hook_count; i++) {
		const struct hook_state *hook = &view->state.hooks[i];
		struct hook_prog progs[HOOK_PROGS_MAX];
		int count = hook_order(view->cgroup, hook->attach_type, progs);
		char list[1024] = "";
		size_t used = 0;

		for (j = 0; j < count && used < sizeof(list); j++)
			used += (size_t)snprintf(list + used, sizeof(list) - used,
						 progs[j].id == hook->prog_id ? "%s[%s #%u]"
									      : "%s%s #%u",
						 j ? " -> " : "", progs[j].name, progs[j].id);
		table_row(table, "%s|%s", hook_type_name(hook->attach_type), list);
	}
	table_print(table, output, 2);
}

static void print_json(const struct output *output, const struct reply_view *view)
{
	json_t *document = output_document();

	json_object_set_new(document, "version", json_string(SLUICE_VERSION));
	json_object_set_new(document, "reply", view ? reply_view_json(view) : json_null());
	json_object_set_new(document, "hooks", view ? order_json(view) : json_array());
	output_json(output, document);
}

static int run(const struct context *context, void *into, int words, char **word, struct err *err)
{
	struct reply_view view, *loaded = NULL;
	int result = pins_exist(context->bpffs, "reply", err);

	if (result > 0) {
		result = reply_view_read(context->bpffs, &view, err);
		loaded = &view;
	}
	if (result)
		return result;
	if (context->output.json) {
		print_json(&context->output, loaded);
	} else if (loaded) {
		reply_view_text(loaded, &context->output);
		order_text(loaded, &context->output);
	} else {
		fprintf(context->output.file, "reply: not loaded (no %s/reply)\n", context->bpffs);
	}
	return 0;
}

const struct command status_command = {
	.object = "status",
	.summary = "every hook, its order among other programs, mode, table fill, counters",
	.run = run,
};
