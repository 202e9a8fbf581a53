/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What wire mode needs to know of the routes where the kernel's own look-up is not to be had: what
 * is local, what is broadcast, and which source address a datagram to a prefix leaves with.
 */
#ifndef SLUICE_WIRE_ROUTES_H
#define SLUICE_WIRE_ROUTES_H

#include "base/err.h"

#include <sluice/wire.h>
#include <stdbool.h>
#include <stddef.h>

/* IPv4 stands v4-mapped. */
#define ROUTES_IP4_BITS 96

struct routes_entry {
	struct sluice_route_key key;
	struct sluice_route route;
	struct sluice_addr ask; /* for its source; of the same family */
	size_t order;		/* of the kernel, which is that of the metrics */
	__u8 family;
	bool service; /* an address that stands for servers elsewhere, and not for this host */
};

struct routes {
	struct routes_entry *entry;
	size_t count, room;
};

/* Reads those of the calling thread's namespace. 0, or -errno with *err set. */
int routes_read(struct routes *routes, struct err *err);
void routes_free(struct routes *routes);

#endif
