/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A cache of the names of network namespaces, for long listings. */
#ifndef SLUICE_BASE_NETNS_NAMES_H
#define SLUICE_BASE_NETNS_NAMES_H

#include "base/output.h"

#include <limits.h>
#include <stddef.h>
#include <stdint.h>

struct netns_names {
	struct netns_known *known;
	size_t count;
	size_t room;
	size_t last; /* index of the last hit: most rows of a listing share one namespace */
};

/* Formats the name, safe for a terminal, or the inode number if it has none. Returns text. */
const char *netns_names_text(struct netns_names *names, uint32_t netns, char text[NAME_MAX + 1]);
/* Returns the name, or null if it has none. */
json_t *netns_names_json(struct netns_names *names, uint32_t netns);
void netns_names_free(struct netns_names *names);

#endif
