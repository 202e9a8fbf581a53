/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads the routes for the hooks where a program cannot use the kernel's FIB lookup: which prefixes
 * are local or broadcast, and which source address the kernel selects for a prefix.
 */
#ifndef SLUICE_WIRE_ROUTES_H
#define SLUICE_WIRE_ROUTES_H

#include "base/err.h"

#include <sluice/wire.h>
#include <stdbool.h>
#include <stddef.h>

/* IPv4 addresses are stored v4-mapped. */
#define ROUTES_IP4_BITS 96

struct routes_entry {
	struct sluice_route_key key;
	struct sluice_route route;
	struct sluice_addr ask; /* the kernel is queried with it for the source */
	size_t order;		/* in the kernel's dump, which sorts by metric */
	__u8 family;
	bool service; /* the address of a service (IPVS), left alone */
};

struct routes {
	struct routes_entry *entry;
	size_t count, room;
};

/* Reads the routes of the calling thread's namespace. Returns 0, or -errno with *err set. */
int routes_read(struct routes *routes, struct err *err);
void routes_free(struct routes *routes);

#endif
