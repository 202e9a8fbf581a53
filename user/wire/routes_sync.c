// SPDX-License-Identifier: GPL-2.0-or-later
#include "wire/routes_sync.h"

#include "kernel/pins.h"
#include "kernel/state_dir.h"
#include "wire/pins.h"
#include "wire/routes_map.h"

#include <unistd.h>

int wire_routes_read(const char *bpffs, struct wire_routes *routes, struct err *err)
{
	int fd = pins_get(bpffs, WIRE_OBJECT, "sluice_w_routes", PINS_MAP);

	routes->generation = 0;
	if (fd >= 0) {
		if (state_dir_map_is(fd, BPF_MAP_TYPE_LPM_TRIE, sizeof(struct sluice_route_key),
				     sizeof(struct sluice_route)))
			routes->generation = routes_map_generation(fd);
		close(fd);
	}
	return routes_read(&routes->routes, err);
}

int wire_routes_write(struct wire_routes *routes, int map_fd, const struct wire_addrs *except,
		      size_t *left_out, struct err *err)
{
	const struct routes_except list = { except->addr, (size_t)except->count };
	int result = 0;

	if (routes_map_generation(map_fd) != routes->generation) {
		routes_free(&routes->routes);
		result = routes_read(&routes->routes, err);
	}
	if (!result)
		result = routes_map_write(map_fd, &routes->routes, &list, left_out, err);
	routes->generation = routes_map_generation(map_fd);
	return result;
}

void wire_routes_free(struct wire_routes *routes)
{
	routes_free(&routes->routes);
}
