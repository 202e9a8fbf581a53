// SPDX-License-Identifier: GPL-2.0-or-later
/* sluice cleanup: remove all that is ours, and nothing else. */
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
	  "then prove that the kernel holds nothing of sluice any more" },
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

/* Whoever has named the wrong folder should not think that all is gone. */
static void print_nothing(const struct output *output, const char *bpffs)
{
	fprintf(output->file, "cleanup: nothing to remove: nothing of sluice is in %s\n", bpffs);
	if (cleanup_count_left() > 0)
		fprintf(output->file,
			"cleanup: but the kernel holds programs of sluice, pinned in another folder:"
			" name it with --bpffs\n");
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
	else if (!groups)
		print_nothing(output, context->bpffs);
	if (groups)
		fprintf(output->file, "cleanup: %d steered group%s given back to the kernel\n",
			groups, groups == 1 ? "" : "s");
	if (left && !json_array_size(left->list))
		fprintf(output->file, "cleanup: verified, the kernel holds nothing of sluice\n");
}

static int verify(const struct context *context, int removed, int groups, struct err *err)
{
	struct left left = { .list = json_array() };
	int found = cleanup_find_left(left_add, &left, err);

	if (found >= 0)
		print(context, removed, groups, &left);
	json_decref(left.list);
	if (found <= 0)
		return found;
	return err_hint(err,
			err_set(err, EXIT_CONFLICT, EBUSY,
				"%d BPF objects of sluice are still in the kernel, first %s", found,
				left.first),
			"they are pinned in another folder (--bpffs), or a process holds them:"
			" 'bpftool -f link show' and 'bpftool -f prog show' tell which");
}

static int run(const struct context *context, void *into, int words, char **word, struct err *err)
{
	static const int caps[] = { CAP_SYS_ADMIN };
	const struct options *wanted = into;
	int groups = 0;
	int removed = wanted->verify ? caps_require("cleanup --verify", caps, 1, err) : 0;

	links_libbpf_log();
	if (!removed)
		removed = cleanup_remove(context->bpffs, &groups, err);
	if (removed < 0)
		return removed;
	if (wanted->verify)
		return verify(context, removed, groups, err);
	print(context, removed, groups, NULL);
	return 0;
}

const struct command cleanup_command = {
	.object = "cleanup",
	.summary = "detach and remove all that is sluice's, and nothing else",
	.tables = { { opts, &options } },
	.options = &options,
	.run = run,
	.help = "It removes pins of any version of sluice.  Traffic goes on as the kernel has it.\n",
};
