/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The map of routes that the wire programs look into, brought to what a reading of them says. */
#ifndef SLUICE_WIRE_ROUTES_MAP_H
#define SLUICE_WIRE_ROUTES_MAP_H

#include "wire/routes.h"

/* Addresses that are to be left alone, be they this host's or not. */
struct routes_except {
	const struct sluice_addr *addr;
	size_t count;
};

/*
 * Without a gap for what stays. What the map has no room for is left out, and counted: the longest
 * prefixes of other networks, whose answers then follow the wider ones; never this host's own
 * addresses, as long as there is room for those. To be called by one writer at a time.
 */
int routes_map_write(int map_fd, const struct routes *routes, const struct routes_except *except,
		     size_t *left_out, struct err *err);
/* Another number for each write of the map; 0: there was none. */
__u32 routes_map_generation(int map_fd);

#endif
