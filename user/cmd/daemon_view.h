/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The text and JSON of the daemon's state, for 'status'. */
#ifndef SLUICE_CMD_DAEMON_VIEW_H
#define SLUICE_CMD_DAEMON_VIEW_H

#include "base/output.h"
#include "host/daemon_status.h"

/* Returns null if there is no daemon. */
json_t *daemon_view_json(const struct daemon_status *status);
void daemon_view_text(const struct daemon_status *status, const struct output *output);

#endif
