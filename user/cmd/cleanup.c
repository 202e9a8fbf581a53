// SPDX-License-Identifier: GPL-2.0-or-later
/* sluice cleanup: removes what belongs to sluice, and nothing else. */
#include "host/cleanup.h"
#include "cmd/command.h"
#include "kernel/caps.h"
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
	char first[128];
};

static void left_add(const char *kind, __u32 id, const char *name, void *arg)
{
	struct left *left = arg;

	if (!left->first[0])
		snprintf(left->first, sizeof(left->first), "%s %u (%s)", kind, id, name);
	json_array_append_new(left->list, json_pack("{s:s, s:i, s:o}", "kind", kind, "id", id,
						    "name", output_name(name)));
}

static void print(const struct context *context, int removed, int groups, const struct left *left)
{
	const struct output *output = &context->output;
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
	if (!removed && !groups) {
		fprintf(output->file, "cleanup: nothing to remove in %s\n", context->bpffs);
		/* Otherwise a wrong --bpffs would look like a clean host. */
		if (cleanup_count_left() > 0)
			fprintf(output->file,
				"cleanup: sluice programs are pinned in another directory:"
				" name it with --bpffs\n");
	}
	if (left && !json_array_size(left->list))
		fprintf(output->file, "cleanup: verified: the kernel holds no sluice object\n");
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
	found = cleanup_find_left(left_add, &left, err);
	if (found >= 0)
		print(context, removed, groups, &left);
	json_decref(left.list);
	if (found <= 0)
		return found;
	err_set(err, EXIT_CONFLICT, EBUSY,
		"the kernel still holds %d BPF objects of sluice, the first is %s", found,
		left.first);
	return err_hint(err, -EBUSY,
			"they are pinned in another directory (--bpffs), or a process holds them:"
			" see 'bpftool -f link show' and 'bpftool -f prog show'");
}

const struct command cleanup_command = {
	.object = "cleanup",
	.summary = "detach and remove what belongs to sluice, and nothing else",
	.tables = { { opts, &options } },
	.options = &options,
	.run = run,
	.help = "Removes the pins of any version of sluice. Packets then pass as without sluice.\n",
};
