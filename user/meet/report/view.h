/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The status of a peer's process as JSON; sluice-json(5) describes the keys. */
#ifndef SLUICE_MEET_REPORT_VIEW_H
#define SLUICE_MEET_REPORT_VIEW_H

#include "meet/quic/node.h"

#include <jansson.h>

struct view {
	const struct node *node;
	const struct peer_target *target; /* of 'peer connect'; NULL: 'peer run' */
	uint64_t started_ns;
	json_t *ended; /* a list: the latest links that are over, as they were in the end */
};

/* All of it, or that of a link. Return a new reference. */
json_t *view_process(const struct view *view);
json_t *view_link(const struct node *node, const struct link *link);

/* What carries the path, or that to the relay: "udp" or "tcp"; NULL without a path. */
const char *view_transport(const struct link *link);
/* The address of this host that the path leaves from; port 0: unknown. */
struct stun_endpoint view_local(const struct link *link);
/* The address of the other peer, or that of the server whose relay is used. */
const struct stun_endpoint *view_remote(const struct link *link,
					const struct peer_session_remote *remote);
/* Is the other peer's key known to this peer, rather than to the server alone? */
bool view_is_known(const struct node *node, const struct link *link);

#endif
