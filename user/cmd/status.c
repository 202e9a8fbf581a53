// SPDX-License-Identifier: GPL-2.0-or-later
/* sluice status: every hook, the order among the programs on it, mode, table fill, counters. */
#include "base/text.h"
#include "cmd/command.h"
#include "cmd/reply/loaded.h"
#include "cmd/reply/wire_view.h"
#include "cmd/steer/summary.h"
#include "kernel/links.h"

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
			json_array_append_new(order, json_pack("{s:i, s:o, s:b}", "program_id",
							       progs[j].id, "program",
							       output_name(progs[j].name), "ours",
							       progs[j].id == hook->prog_id));
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
		table_row(table, "%s|%s", hook_type_name(hook->attach_type),
			  text_plain(list, sizeof(list)));
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
		       const char *bpffs)
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
}

static void print_steer(const struct output *output, const struct steer_view *steer,
			const char *bpffs)
{
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
	int result = reply_loaded_read(context->bpffs, &loaded, err);

	hooks_libbpf_log();
	if (!result)
		result = steer_status_read(context->bpffs, &steer, &steered, err);
	if (!result && context->output.json) {
		print_json(&context->output, &loaded, steered ? &steer : NULL);
	} else if (!result) {
		print_text(&context->output, &loaded, context->bpffs);
		print_steer(&context->output, steered ? &steer : NULL, context->bpffs);
	}
	reply_loaded_free(&loaded);
	steer_view_free(&steer);
	return result;
}

const struct command status_command = {
	.object = "status",
	.summary = "every hook, its order among other programs, mode, table fill, counters",
	.run = run,
};
