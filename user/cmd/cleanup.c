// SPDX-License-Identifier: GPL-2.0-or-later
/* sluice cleanup: removes everything that belongs to sluice, and nothing else. */
#include "host/cleanup.h"
#include "base/text.h"
#include "cmd/command.h"
#include "kernel/caps.h"
#include "kernel/holders.h"
#include "kernel/links.h"

#include <errno.h>

static struct options {
	bool verify;
} options;

static const struct opt opts[] = {
	{ "verify", 0, NULL, opt_switch, offsetof(struct options, verify),
	  "then verify that the kernel holds no sluice object" },
	{ .name = NULL },
};

struct left {
	json_t *list;
	struct table *table;
	char first[128];    /* object */
	char dir[PATH_MAX]; /* a pin directory, or empty */
	char process[96];   /* the process that holds an object without a pin, or empty */
};

static void left_add(const struct cleanup_left *object, void *arg)
{
	json_t *pins = json_array(), *processes = json_array();
	char where[1024] = "", name[64];
	struct left *left = arg;
	size_t used = 0;
	int i;

	for (i = 0; i < object->holders; i++) {
		const struct bpf_holder *holder = object->holder[i];

		text_plain_copy(name, sizeof(name), holder->name);
		if (used < sizeof(where) && !holder->pid)
			used += (size_t)snprintf(where + used, sizeof(where) - used, "%s%s",
						 i ? ", " : "", holder->name);
		else if (used < sizeof(where))
			used += (size_t)snprintf(where + used, sizeof(where) - used,
						 "%sprocess %d (%s)", i ? ", " : "", holder->pid,
						 name);
		if (!holder->pid)
			json_array_append_new(pins, output_name(holder->name));
		else
			json_array_append_new(processes,
					      json_pack("{s:i, s:o}", "pid", holder->pid, "process",
							output_name(holder->name)));
		if (!i && holder->pid && !left->process[0])
			snprintf(left->process, sizeof(left->process), "%d (%s)", holder->pid,
				 name);
	}
	if (!left->first[0])
		snprintf(left->first, sizeof(left->first), "%s %u (%s)", object->kind, object->id,
			 object->name);
	if (object->has_dir && !left->dir[0])
		snprintf(left->dir, sizeof(left->dir), "%s", object->dir);
	if (left->table)
		table_row(left->table, "%s|%u|%s|%s", object->kind, object->id, object->name,
			  used ? text_plain(where, sizeof(where)) : "-");
	json_array_append_new(
		left->list, json_pack("{s:s, s:i, s:o, s:o, s:o, s:o}", "kind", object->kind, "id",
				      object->id, "name", output_name(object->name), "bpffs",
				      object->has_dir ? output_name(object->dir) : json_null(),
				      "pins", pins, "processes", processes));
}

static void print(const struct context *context, int removed, int groups, const struct left *left)
{
	const struct output *output = &context->output;
	struct err elsewhere = { 0 };
	json_t *document;

	if (output->json) {
		document = output_document();
		json_object_set_new(document, "removed_pins", json_integer(removed));
		json_object_set_new(document, "groups_given_back", json_integer(groups));
		if (left)
			json_object_set(document, "left", left->list);
		output_json(output, document);
		return;
	}
	if (removed)
		fprintf(output->file, "cleanup: %d pins removed\n", removed);
	if (groups)
		fprintf(output->file, "cleanup: %d steered group%s returned to the kernel\n",
			groups, groups == 1 ? "" : "s");
	if (!removed) {
		/* groups may have lost their pins, so this covers all pin directories */
		fprintf(output->file, "cleanup: nothing to remove in %s\n", context->bpffs);
		/* Without this hint, a wrong --bpffs would look like a clean host. */
		cleanup_hint_elsewhere(context->bpffs, &elsewhere);
		if (elsewhere.hint[0] && !left)
			fprintf(output->file, "cleanup: %s\n", elsewhere.hint);
	}
	if (left && !json_array_size(left->list))
		fprintf(output->file, "cleanup: verified: the kernel holds no sluice object\n");
}

/* Sets *err for the remaining objects. The hint is for the first object that has a remedy. */
static int refuse_left(const struct left *left, int found, struct err *err)
{
	err_set(err, EXIT_CONFLICT, EBUSY,
		"sluice BPF objects still in the kernel: %d, the first is %s", found, left->first);
	if (left->dir[0])
		return err_hint(err, -EBUSY, "to remove those of %s: sluice --bpffs %s cleanup",
				left->dir, left->dir);
	if (left->process[0])
		return err_hint(err, -EBUSY, "stop process %s, which holds them", left->process);
	return err_hint(err, -EBUSY,
			"they are pinned on a bpffs of another mount namespace, or used by each"
			" other: see 'bpftool -f link show' and 'bpftool -f prog show'");
}

static int run(const struct context *context, void *into, int words, char **word, struct err *err)
{
	static const int caps[] = { CAP_SYS_ADMIN };
	const struct options *wanted = into;
	struct left left = { NULL };
	int removed, groups = 0, found;

	if (wanted->verify && caps_require("cleanup --verify", caps, 1, err))
		return -EPERM;
	links_libbpf_log();
	removed = cleanup_remove(context->bpffs, &groups, err);
	if (removed < 0)
		return removed;
	if (!wanted->verify) {
		print(context, removed, groups, NULL);
		return 0;
	}
	left.list = json_array();
	left.table = context->output.json ? NULL : table_new("left|>id|name|pins, processes");
	found = cleanup_find_left(left_add, &left, err);
	if (found >= 0)
		print(context, removed, groups, &left);
	if (left.table)
		table_print(left.table, &context->output, 0);
	json_decref(left.list);
	return found <= 0 ? found : refuse_left(&left, found, err);
}

const struct command cleanup_command = {
	.object = "cleanup",
	.summary = "detach and remove what belongs to sluice, and nothing else",
	.tables = { { opts, &options } },
	.options = &options,
	.changes = true,
	.run = run,
	.help = "Removes the pins of any version of sluice. Packets then pass as without sluice.\n",
};
