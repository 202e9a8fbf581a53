/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Updates the map of routes that the wire programs look up to the snapshot of routes_read(). */
#ifndef SLUICE_WIRE_ROUTES_MAP_H
#define SLUICE_WIRE_ROUTES_MAP_H

#include "wire/routes.h"

/* The addresses of --except, left alone whether they are local or not. */
struct routes_except {
	const struct sluice_addr *addr;
	size_t count;
};

/*
 * Replaces the entries in place: a route that stays is never missing. If the map is full, the
 * longest prefixes of other networks are left out and counted, and datagrams to them match the next
 * wider prefix; local addresses are written first. The caller serialises writers. Returns 0, or
 * -errno with *err set.
 */
int routes_map_write(int map_fd, const struct routes *routes, const struct routes_except *except,
		     size_t *left_out, struct err *err);
/* Returns the generation of the last write; 0 if the map was never written. */
__u32 routes_map_generation(int map_fd);

#endif
