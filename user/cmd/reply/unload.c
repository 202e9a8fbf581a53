// SPDX-License-Identifier: GPL-2.0-or-later
/* sluice reply unload: detaches the object reply, the object wire, or both. */
#include "cmd/command.h"
#include "cmd/reply/view.h"
#include "kernel/links.h"
#include "reply/reply.h"
#include "wire/wire.h"

#include <errno.h>
#include <string.h>

static const char *const modes[] = { "socket", "audit", "wire", NULL };

static struct options {
	unsigned int mode; /* index into `modes`, from 1; 0: all loaded modes */
} options;

static const struct opt opts[] = {
	{ "mode", 'm', "MODE", opt_word, offsetof(struct options, mode),
	  "unload this mode only (default: all that are loaded)", .words = modes, .noun = "mode",
	  .min = 1 },
	{ .name = NULL },
};

static int unload(const char *bpffs, const char *mode, struct err *err)
{
	struct reply_state state;
	int removed = 0, more;

	if (mode && strcmp(mode, "wire")) {
		/* also remove an unreadable object, whose mode is unknown */
		if (!reply_read(bpffs, &state, &(struct err){ 0 }) &&
		    strcmp(reply_mode_name(state.meta.mode), mode))
			return 0;
		return reply_unload(bpffs, err);
	}
	if (!mode)
		removed = reply_unload(bpffs, err);
	if (removed < 0)
		return removed;
	more = wire_unload(bpffs, err);
	return more < 0 ? more : removed + more;
}

static int run(const struct context *context, void *into, int words, char **word, struct err *err)
{
	const struct options *wanted = into;
	const char *mode = wanted->mode ? modes[wanted->mode - 1] : NULL;
	int removed;

	links_libbpf_log();
	removed = unload(context->bpffs, mode, err);
	if (removed < 0)
		return removed;
	if (!removed && mode)
		return err_hint(
			err,
			err_set(err, EXIT_ERROR, ENOENT, "reply is not loaded in mode %s", mode),
			"'sluice status' lists the loaded modes");
	if (!removed)
		return reply_loaded_none(context->bpffs, "there is nothing to unload", err);
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
	.summary = "detach the programs; the kernel chooses reply sources again",
	.tables = { { opts, &options } },
	.options = &options,
	.changes = true,
	.run = run,
};
