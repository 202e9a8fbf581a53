/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The map of routes. Reading tens of thousands of routes takes long, so it is done without the pin
 * lock; if another process has written the map meanwhile, the routes are read again under the lock,
 * so that old routes never replace newer ones.
 */
#ifndef SLUICE_WIRE_ROUTES_SYNC_H
#define SLUICE_WIRE_ROUTES_SYNC_H

#include "wire/except.h"
#include "wire/routes.h"

struct wire_routes {
	struct routes routes;
	__u32 generation; /* of the map, before they were read */
};

/* In the calling thread's namespace, without the lock; the caller frees. */
int wire_routes_read(const char *bpffs, struct wire_routes *routes, struct err *err);
/* Under the lock; *left_out is the number of routes for which the map has no room. */
int wire_routes_write(struct wire_routes *routes, int map_fd, const struct wire_addrs *except,
		      size_t *left_out, struct err *err);
void wire_routes_free(struct wire_routes *routes);

#endif
