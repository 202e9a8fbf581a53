/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs sluice-peer: the same program, linked with the libraries that peers need. */
#ifndef SLUICE_CMD_PEER_EXECUTE_H
#define SLUICE_CMD_PEER_EXECUTE_H

#include "base/err.h"
#include "cli/context.h"

/*
 * Executes sluice-peer with the arguments of this process. Returns only on failure, with *err set.
 */
int peer_execute(const struct context *context, struct err *err);

#endif
