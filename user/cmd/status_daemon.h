/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text and JSON output of the daemon's state, for 'status'. */
#ifndef SLUICE_CMD_STATUS_DAEMON_H
#define SLUICE_CMD_STATUS_DAEMON_H

#include "cli/output.h"
#include "host/daemon_status.h"

/* Returns null if there is no daemon. */
json_t *status_daemon_json(const struct daemon_status *status);
void status_daemon_text(const struct daemon_status *status, const struct output *output);

#endif
