/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The status of a peer's process as JSON; sluice-json(5) describes the keys. */
#ifndef SLUICE_MEET_REPORT_VIEW_H
#define SLUICE_MEET_REPORT_VIEW_H

#include "meet/node/node.h"

#include <jansson.h>
#include <stdio.h>

struct view {
	const struct node *node;
	const struct peer_target *target; /* of 'peer connect'; NULL: 'peer run' */
	uint64_t started_ns;
	json_t *ended; /* list of the latest ended links, in their final state */
};

/* Return the status of the process or of a link, as a new reference. */
json_t *view_process(const struct view *view);
json_t *view_link(const struct node *node, const struct link *link);

/*
 * Returns the transport of the path, or of the connection to the relay: "udp" or "tcp"; NULL
 * without a path.
 */
const char *view_transport(const struct link *link);
/* Returns the local address of the path. A port of 0 means that the address is unknown. */
struct stun_endpoint view_local(const struct link *link);
/* Returns the address of the other peer, or of the server that relays. */
const struct stun_endpoint *view_remote(const struct link *link,
					const struct peer_session_remote *remote);
/*
 * Prints why this peer is not ready, one reason per line: it is not registered, or, for
 * 'peer connect', has no path.
 */
void view_unready(const struct view *view, FILE *reasons);
/* Returns true if this peer knows the key of the other peer, rather than only the server. */
bool view_is_known(const struct node *node, const struct link *link);

#endif
