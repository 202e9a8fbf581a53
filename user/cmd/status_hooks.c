// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmd/status_hooks.h"

#include "base/text.h"
#include "kernel/links.h"
#include "kernel/tc.h"

/* A hook and its programs, in order. @own is the id of sluice's program. */
struct ordered_hook {
	char name[64];
	struct hook_prog progs[HOOK_PROGS_MAX];
	int count;
	__u32 own;
};

static void reply_hooks(const struct reply_view *view, void (*each)(struct ordered_hook *, void *),
			void *into)
{
	struct ordered_hook hook;
	int i;

	for (i = 0; i < view->state.hook_count; i++) {
		const struct hook_state *state = &view->state.hooks[i];

		snprintf(hook.name, sizeof(hook.name), "%s", hook_type_name(state->attach_type));
		hook.count = hook_order(view->cgroup, state->attach_type, hook.progs);
		hook.own = state->prog_id;
		each(&hook, into);
	}
}

static void wire_hooks(const struct wire_state *state, void (*each)(struct ordered_hook *, void *),
		       void *into)
{
	struct ordered_hook hook;
	int i, out;

	for (i = 0; !state->elsewhere && i < state->count; i++)
		for (out = 0; out < 2; out++) {
			const struct wire_iface *iface = &state->ifaces[i];

			snprintf(hook.name, sizeof(hook.name), "%s/%s", iface->entry.name,
				 out ? "egress" : "ingress");
			hook.count = tc_order(iface->ifindex, out, hook.progs);
			hook.own = iface->prog_id[out];
			each(&hook, into);
		}
}

static void hooks(const struct reply_loaded *loaded, void (*each)(struct ordered_hook *, void *),
		  void *into)
{
	if (loaded->has_reply)
		reply_hooks(&loaded->reply, each, into);
	if (loaded->has_wire)
		wire_hooks(&loaded->wire, each, into);
}

static void append_json(struct ordered_hook *hook, void *array)
{
	json_t *order = json_array();
	int i;

	for (i = 0; i < hook->count; i++)
		json_array_append_new(order,
				      json_pack("{s:i, s:o, s:b}", "program_id", hook->progs[i].id,
						"program", output_name(hook->progs[i].name), "own",
						hook->progs[i].id == hook->own));
	json_array_append_new(
		array, json_pack("{s:o, s:o}", "hook", output_name(hook->name), "order", order));
}

json_t *status_hooks_json(const struct reply_loaded *loaded)
{
	json_t *array = json_array();

	hooks(loaded, append_json, array);
	return array;
}

static void append_row(struct ordered_hook *hook, void *table)
{
	char list[1024] = "";
	size_t used = 0;
	int i;

	for (i = 0; i < hook->count && used < sizeof(list); i++)
		used += (size_t)snprintf(list + used, sizeof(list) - used,
					 hook->progs[i].id == hook->own ? "%s[%s #%u]" : "%s%s #%u",
					 i ? " -> " : "", hook->progs[i].name, hook->progs[i].id);
	table_row(table, "%s|%s", text_plain(hook->name, sizeof(hook->name)),
		  text_plain(list, sizeof(list)));
}

void status_hooks_text(const struct reply_loaded *loaded, const struct output *output)
{
	struct table *table = table_new("hook|programs in order, sluice's in brackets");

	hooks(loaded, append_row, table);
	table_print(table, output, 2);
}
