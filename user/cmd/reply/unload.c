// SPDX-License-Identifier: GPL-2.0-or-later
/* sluice reply unload: detach the reply plane, the wire plane, or both. */
#include "base/suggest.h"
#include "cmd/command.h"
#include "cmd/reply/loaded.h"
#include "kernel/links.h"
#include "reply/reply.h"
#include "wire/wire.h"

#include <errno.h>
#include <string.h>

struct options {
	const char *mode; /* NULL: whatever is loaded */
};

static int set_mode(void *into, const char *value, struct err *err)
{
	static const char *const modes[] = { "socket", "wire", "audit" };
	const char *nearest;
	size_t i;

	for (i = 0; i < 3; i++)
		if (!strcmp(value, modes[i])) {
			((struct options *)into)->mode = modes[i];
			return 0;
		}
	nearest = word_nearest(value, modes, 3);
	err_set(err, EXIT_USAGE, EINVAL, "unknown mode '%s'", value);
	return nearest ? err_mend(err, -EINVAL, "did you mean '%s'?", nearest)
		       : err_mend(err, -EINVAL, "give 'socket', 'wire' or 'audit'");
}

static const struct opt opts[] = {
	{ "mode", 'm', "MODE", "only this one (default: whatever is loaded)", set_mode },
	{ NULL, 0, NULL, NULL, NULL },
};

static struct options options;

/* Is the reply plane loaded in the mode that was named? An unreadable one is, to be removed. */
static bool reply_is_meant(const char *bpffs, const char *mode)
{
	struct reply_state state;

	if (!mode)
		return true;
	if (!strcmp(mode, "wire"))
		return false;
	return reply_read(bpffs, &state, &(struct err){ 0 }) ||
	       !strcmp(reply_mode_name(state.meta.mode), mode);
}

static int unload(const char *bpffs, const char *mode, struct err *err)
{
	int removed = 0, more;

	if (reply_is_meant(bpffs, mode))
		removed = reply_unload(bpffs, err);
	if (removed < 0 || (mode && strcmp(mode, "wire")))
		return removed;
	more = wire_unload(bpffs, err);
	return more < 0 ? more : removed + more;
}

static int run(const struct context *context, void *into, int words, char **word, struct err *err)
{
	const struct options *wanted = into;
	int removed;

	hooks_libbpf_log();
	removed = unload(context->bpffs, wanted->mode, err);
	if (removed < 0)
		return removed;
	if (!removed && wanted->mode)
		return err_mend(err,
				err_set(err, EXIT_ERROR, ENOENT, "reply is not loaded in mode %s",
					wanted->mode),
				"nothing was to be done; 'sluice status' shows what is loaded");
	if (!removed)
		return reply_loaded_none(context->bpffs, err);
	if (context->output.json) {
		json_t *document = output_document();

		json_object_set_new(document, "removed_pins", json_integer(removed));
		output_json(&context->output, document);
	} else {
		fprintf(context->output.file, "reply: unloaded\n");
	}
	return 0;
}

const struct command reply_unload_command = {
	.object = "reply",
	.name = "unload",
	.summary = "detach; replies leave as the kernel has it again",
	.opts = opts,
	.options = &options,
	.run = run,
};
