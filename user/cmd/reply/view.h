/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The text and JSON of the objects reply and wire, for 'reply show' and 'status'. */
#ifndef SLUICE_CMD_REPLY_VIEW_H
#define SLUICE_CMD_REPLY_VIEW_H

#include "cmd/command.h"
#include "reply/reply.h"
#include "wire/wire.h"

struct reply_view {
	struct reply_state state;
	struct flow_table_usage usage;
	char cgroup[PATH_MAX]; /* "(gone)" if the cgroup was removed */
	bool cgroup_gone;
	bool detached; /* at least one hook is detached */
};

/* The objects reply and wire; either may be loaded alone. */
struct reply_loaded {
	bool has_reply;
	bool has_wire;
	struct reply_view reply;
	struct wire_state wire;
};

/*
 * Returns 0, even if nothing is loaded, or -errno with *err set. The caller frees in either case.
 */
int reply_loaded_read(const char *bpffs, struct reply_loaded *loaded, struct err *err);
/*
 * Does the same, but reads each object although the other cannot be read. Sets the code of the
 * errors, which must be EXIT_OK before, of what cannot be read.
 */
void reply_loaded_read_each(const char *bpffs, struct reply_loaded *loaded, struct err *reply_err,
			    struct err *wire_err);
void reply_loaded_free(struct reply_loaded *loaded);
#define REPLY_LOAD_HINT "load it with 'sluice reply load --mode socket' or '--mode wire'"
/*
 * Sets *err for a command that needs one of the objects: neither is loaded. Adds @hint, unless
 * another directory has them. Returns -ENOENT.
 */
int reply_loaded_none(const char *bpffs, const char *hint, struct err *err);
/* Adds the keys "reply" and "wire"; the value is null for an object that is not loaded. */
void reply_loaded_json(const struct reply_loaded *loaded, json_t *document);
void reply_loaded_text(const struct reply_loaded *loaded, const struct output *output);

void reply_view_text(const struct reply_view *view, const struct output *output);
/* Prints that a load has resized the flow table. @sets_before is 0 if there was no table. */
void reply_view_table_change(__u32 sets_before, __u32 flows, const struct output *output);

/* Prints the result of 'reply load --mode wire'. */
void wire_view_result(const struct wire_options *options, const struct wire_result *result,
		      const char *outcome, const struct output *output);
void wire_view_text(const struct wire_state *state, const struct output *output);

#endif
