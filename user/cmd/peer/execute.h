/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs sluice-peer, which is the same program, and has what peers need besides. */
#ifndef SLUICE_CMD_PEER_EXECUTE_H
#define SLUICE_CMD_PEER_EXECUTE_H

#include "base/context.h"
#include "base/err.h"

/* Executes it with the arguments of this process. Returns on failure only, with *err set. */
int peer_execute(const struct context *context, struct err *err);

#endif
