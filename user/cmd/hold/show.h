/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text and JSON output of the object hold, for 'hold show' and 'status'. */
#ifndef SLUICE_CMD_HOLD_SHOW_H
#define SLUICE_CMD_HOLD_SHOW_H

#include "cli/output.h"
#include "hold/hold.h"

#include <limits.h>

#define HOLD_NOT_SENDING "not sending: only 'sluice run' with a section [hold] sends keepalives"

struct hold_view {
	struct hold_state state;
	__u32 used; /* capacity of the table */
	__u32 flows[SLUICE_HOLD_STATES];
	__s64 saved;
	char cgroup[PATH_MAX]; /* "(gone)" if the cgroup no longer exists */
	bool cgroup_gone;
};

/* Calls hold_read(). Clears `sending` if the daemon has just been killed. */
int hold_view_state(const char *bpffs, struct hold_state *state, struct err *err);
/* Returns 0, or -errno with *err set; -ENOENT if hold is not loaded. */
int hold_view_read(const char *bpffs, struct hold_view *view, struct err *err);
json_t *hold_view_json(const struct hold_view *view);
void hold_view_text(const struct hold_view *view, const struct output *output);

/* Returns the current state of a flow; the daemon detects some changes only at its next check. */
struct hold_maps;
unsigned int hold_view_flow_state(const struct hold_maps *maps, __u32 slot,
				  const struct sluice_hold_flow *flow);

#endif
