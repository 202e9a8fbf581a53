/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lists all programs on each hook that has a program of sluice, in order, for 'status'. */
#ifndef SLUICE_CMD_STATUS_HOOKS_H
#define SLUICE_CMD_STATUS_HOOKS_H

#include "cmd/reply/view.h"

/* Returns an array of the hooks of modes socket and wire, with the programs in order. */
json_t *status_hooks_json(const struct reply_loaded *loaded);
void status_hooks_text(const struct reply_loaded *loaded, const struct output *output);

#endif
