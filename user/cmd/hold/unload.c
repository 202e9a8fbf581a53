// SPDX-License-Identifier: GPL-2.0-or-later
/* sluice hold unload: detaches the programs of hold. */
#include "cmd/command.h"
#include "hold/hold.h"
#include "host/cleanup.h"
#include "kernel/links.h"

#include <errno.h>

static int run(const struct context *context, void *into, int words, char **word, struct err *err)
{
	struct hold_state state;
	json_t *document;
	int removed;

	links_libbpf_log();
	removed = hold_unload(context->bpffs, err);
	if (removed < 0)
		return removed;
	/* sets the error if hold is not loaded */
	if (!removed) {
		removed = hold_read(context->bpffs, &state, err);
		if (removed == -ENOENT)
			err_hint(err, removed, "there is nothing to unload");
		return cleanup_hint_not_loaded(context->bpffs, "hold", removed, err);
	}
	if (context->output.json) {
		document = output_document();
		json_object_set_new(document, "removed_pins", json_integer(removed));
		output_json(&context->output, document);
	} else {
		fprintf(context->output.file, "hold: unloaded\n");
	}
	return 0;
}

const struct command hold_unload_command = {
	.object = "hold",
	.name = "unload",
	.summary = "detach the programs; flows are no longer tracked or kept",
	.changes = true,
	.run = run,
};
