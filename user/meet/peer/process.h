/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The processes of peers. Only the program sluice-peer contains these functions; in sluice they are
 * NULL. They need GnuTLS, whose initialization takes longer than most commands.
 */
#ifndef SLUICE_MEET_PEER_PROCESS_H
#define SLUICE_MEET_PEER_PROCESS_H

#include "meet/peer/options.h"

/* Exposes services until SIGTERM or SIGINT. Returns 0, or -errno with *err set. */
__attribute__((weak)) int peer_serve(const struct peer_identity *identity,
				     const struct peer_exposed *exposed, bool verbose,
				     struct err *err);
/* Connects to a service of another peer, until SIGTERM, SIGINT or the end of --stdio. As above. */
__attribute__((weak)) int peer_connect(const struct peer_identity *identity,
				       const struct peer_target *target, bool verbose,
				       struct err *err);

#endif
