/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A cache of the names of network namespaces, for long listings. */
#ifndef SLUICE_NET_NETNS_NAMES_H
#define SLUICE_NET_NETNS_NAMES_H

#include "cli/output.h"
#include "net/netns.h"

#include <limits.h>
#include <stddef.h>
#include <stdint.h>

struct netns_names {
	struct netns_known *known;
	size_t count;
	size_t room;
	size_t last; /* index of the last hit: most rows of a listing share one namespace */
};

/*
 * Formats number and name, or only the number of a namespace without a name, safe for a terminal.
 */
const char *netns_names_text(struct netns_names *names, uint32_t netns, char text[NETNS_TEXT_MAX]);
/*
 * Adds the keys "netns" and "netns_name" (null without a name). @names may be NULL, for a single
 * namespace.
 */
void netns_names_json(struct netns_names *names, uint32_t netns, json_t *object);
void netns_names_free(struct netns_names *names);

#endif
