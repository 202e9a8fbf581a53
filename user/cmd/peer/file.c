// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmd/peer/file.h"

#include <errno.h>

const struct opt peer_file_opts[] = {
	{ "config", 'c', "FILE", opt_path, offsetof(struct peer_file, path),
	  "read options from this file, instead of those below that describe the peer itself",
	  .side = OPT_LINE },
	{ "check-config", 0, NULL, opt_switch, offsetof(struct peer_file, check),
	  "report the mistakes in the file, and do nothing else", .side = OPT_LINE },
	{ .name = NULL },
};

int peer_file_read(const struct peer_file *file, const struct conf_table *keys,
		   struct peer_config *config, struct err *err)
{
	const char *given = file->identity_given ? file->identity_given : file->exposed_given;
	int result;

	if (!file->path && file->check)
		return err_set(err, EXIT_USAGE, EINVAL, "--check-config needs a --config");
	if (!file->path)
		return 0;
	if (given)
		return err_hint(err,
				err_set(err, EXIT_USAGE, EINVAL,
					"--%s and --config exclude each other", given),
				"the file has this option as a key");
	result = peer_config_read(file->path, keys, config, err);
	/* the unit that the file is for has a credential */
	if (file->check && !config->identity.key_file)
		config->identity.key_file = "key";
	return result;
}

int peer_file_checked(const struct peer_file *file, const struct context *context)
{
	json_t *document;

	if (context->output.json) {
		document = output_document();
		json_object_set_new(document, "config", output_name(file->path));
		output_json(&context->output, document);
	} else {
		fprintf(context->output.file, "%s: no problems found\n", file->path);
	}
	return 0;
}
