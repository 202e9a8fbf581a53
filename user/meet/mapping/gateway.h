/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The gateway of this host: the next router toward a server. */
#ifndef SLUICE_MEET_MAPPING_GATEWAY_H
#define SLUICE_MEET_MAPPING_GATEWAY_H

#include <netinet/in.h>

struct gateway {
	struct in_addr addr;
	struct in_addr own; /* the address from which this host sends to it */
};

/* Returns 0 or -errno: -ENOENT if the server is on-link or unreachable. */
int gateway_toward(struct in_addr server, struct gateway *gateway);

#endif
