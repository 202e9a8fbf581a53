// SPDX-License-Identifier: GPL-2.0-or-later
/* sluice reply unload: detach the reply plane. */
#include "command.h"
#include "reply.h"

#include <errno.h>

static int run(const struct context *context, void *into, int words, char **word, struct err *err)
{
	int removed = reply_unload(context->bpffs, err);

	if (removed < 0)
		return removed;
	if (!removed)
		return err_mend(err,
				err_set(err, EXIT_ERROR, ENOENT,
					"reply is not loaded (no %s/reply)", context->bpffs),
				"nothing was to be done; 'sluice status' shows what is loaded");
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
	.run = run,
};
