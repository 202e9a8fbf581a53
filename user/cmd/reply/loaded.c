// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmd/reply/loaded.h"

#include "cmd/reply/wire_view.h"
#include "kernel/pins.h"

#include <errno.h>

int reply_loaded_read(const char *bpffs, struct reply_loaded *loaded, struct err *err)
{
	int result = pins_exist(bpffs, "reply", err);

	*loaded = (struct reply_loaded){ .has_reply = result > 0 };
	if (result > 0)
		result = reply_view_read(bpffs, &loaded->reply, err);
	if (result)
		return result;
	result = pins_exist(bpffs, "wire", err);
	loaded->has_wire = result > 0;
	if (result > 0)
		result = wire_read(bpffs, &loaded->wire, err);
	return result;
}

void reply_loaded_free(struct reply_loaded *loaded)
{
	wire_state_free(&loaded->wire);
}

int reply_loaded_none(const char *bpffs, struct err *err)
{
	return err_hint(err,
			err_set(err, EXIT_ERROR, ENOENT,
				"reply is not loaded (no %s/reply, no %s/wire)", bpffs, bpffs),
			"load it with 'sluice reply load --mode socket' or '--mode wire'");
}

void reply_loaded_json(const struct reply_loaded *loaded, json_t *document)
{
	json_object_set_new(document, "reply",
			    loaded->has_reply ? reply_view_json(&loaded->reply) : json_null());
	json_object_set_new(document, "wire",
			    loaded->has_wire ? wire_view_json(&loaded->wire) : json_null());
}

void reply_loaded_text(const struct reply_loaded *loaded, const struct output *output)
{
	if (loaded->has_reply)
		reply_view_text(&loaded->reply, output);
	if (loaded->has_wire)
		wire_view_text(&loaded->wire, output);
}
