/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What wire mode needs to know of the routes where the kernel's own look-up is not to be had: what
 * is local, what is broadcast, and which source address a datagram to a prefix leaves with.
 */
#ifndef SLUICE_ROUTES_H
#define SLUICE_ROUTES_H

#include "err.h"

/*
 * Brings the map (struct sluice_route_key, struct sluice_route) to what the routes of the calling
 * thread's namespace say, without a gap for those that stay. 0, or -errno with *err set.
 */
int routes_fill(int map_fd, struct err *err);

#endif
