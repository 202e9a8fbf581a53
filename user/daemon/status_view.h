/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The answer of the status socket: the state of each section, and the daemon's warnings. */
#ifndef SLUICE_DAEMON_STATUS_VIEW_H
#define SLUICE_DAEMON_STATUS_VIEW_H

#include "daemon/status_socket.h"

#include <jansson.h>

/* Returns the answer as a document, which the caller frees. */
json_t *status_view_json(const struct status_socket *status);

#endif
