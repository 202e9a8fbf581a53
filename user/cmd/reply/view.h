/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text and JSON output of the objects reply and wire, for 'reply show' and 'status'. */
#ifndef SLUICE_CMD_REPLY_VIEW_H
#define SLUICE_CMD_REPLY_VIEW_H

#include "cmd/command.h"
#include "reply/reply.h"
#include "wire/wire.h"

struct reply_view {
	struct reply_state state;
	struct flow_table_usage usage;
	char cgroup[PATH_MAX]; /* "(gone)" if the cgroup no longer exists */
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
 * Returns 0, even if nothing is loaded, or -errno with *err set. The caller must free in either
 * case.
 */
int reply_loaded_read(const char *bpffs, struct reply_loaded *loaded, struct err *err);
/*
 * Reads both objects like reply_loaded_read(), but continues with one object if the other cannot be
 * read. Sets the error code for each object that cannot be read; the codes must be EXIT_OK on
 * entry.
 */
void reply_loaded_read_each(const char *bpffs, struct reply_loaded *loaded, struct err *reply_err,
			    struct err *wire_err);
void reply_loaded_free(struct reply_loaded *loaded);
#define REPLY_LOAD_HINT "load it with 'sluice reply load --mode socket' or '--mode wire'"
/*
 * Sets *err for a command that needs one of the objects, when neither is loaded. Adds @hint, unless
 * another directory has the objects. Returns -ENOENT.
 */
int reply_loaded_none(const char *bpffs, const char *hint, struct err *err);
/* Adds the keys "reply" and "wire". The value of an object that is not loaded is null. */
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
