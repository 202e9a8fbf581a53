/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How the reply plane is shown, by 'reply show' and by 'status'. */
#ifndef SLUICE_CMD_REPLY_VIEW_H
#define SLUICE_CMD_REPLY_VIEW_H

#include "cmd/command.h"
#include "reply/reply.h"

#include <time.h>

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

#endif
