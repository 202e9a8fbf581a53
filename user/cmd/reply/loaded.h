/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Both planes that mend replies, either of which may be loaded: for 'reply show' and 'status'. */
#ifndef SLUICE_CMD_REPLY_LOADED_H
#define SLUICE_CMD_REPLY_LOADED_H

#include "cmd/reply/view.h"
#include "wire/wire.h"

struct reply_loaded {
	bool has_reply;
	bool has_wire;
	struct reply_view reply;
	struct wire_state wire;
};

int reply_loaded_read(const char *bpffs, struct reply_loaded *loaded, struct err *err);
void reply_loaded_free(struct reply_loaded *loaded);
/* The error of a command that wants something to be loaded. */
int reply_loaded_none(const char *bpffs, struct err *err);
/* The keys "reply" and "wire", null for what is not loaded. */
void reply_loaded_json(const struct reply_loaded *loaded, json_t *document);
void reply_loaded_text(const struct reply_loaded *loaded, const struct output *output);

#endif
