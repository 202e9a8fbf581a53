/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How the reply plane is shown, by 'reply show' and by 'status'. */
#ifndef SLUICE_CMD_REPLY_VIEW_H
#define SLUICE_CMD_REPLY_VIEW_H

#include "cmd/command.h"
#include "reply/reply.h"

struct reply_view {
	struct reply_state state;
	struct flow_table_usage fill;
	char cgroup[PATH_MAX]; /* "(gone)" if it has been removed */
};

int reply_view_read(const char *bpffs, struct reply_view *view, struct err *err);
json_t *reply_view_json(const struct reply_view *view);
/* Says that a load has changed the size of the flow table, from so many sets; 0: there was none. */
void reply_view_table_change(__u32 sets_before, __u32 flows, const struct output *output);
void reply_view_text(const struct reply_view *view, const struct output *output);

#define HOOK_ORDER_COLUMNS "hook|programs in order, ours in brackets"
/* The programs on a hook; @ours is the id of ours.  @hook becomes part of the JSON object. */
json_t *hook_order_json(json_t *hook, const struct hook_prog *progs, int count, __u32 ours);
/* Adds a row to a table of HOOK_ORDER_COLUMNS. */
void hook_order_row(struct table *table, const char *hook, const struct hook_prog *progs, int count,
		    __u32 ours);

#endif
