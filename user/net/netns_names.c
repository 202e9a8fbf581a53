// SPDX-License-Identifier: GPL-2.0-or-later
#include "net/netns_names.h"

#include "base/array.h"

#include <stdlib.h>

struct netns_known {
	uint32_t netns;
	char name[NAME_MAX + 1]; /* "": the namespace has no name */
};

/* Returns the name, "" if the namespace has none, or NULL on ENOMEM. */
static const char *lookup(struct netns_names *names, uint32_t netns)
{
	void *known = names->known;
	struct netns_known *fresh;
	size_t i;

	if (names->last < names->count && names->known[names->last].netns == netns)
		return names->known[names->last].name;
	for (i = 0; i < names->count && names->known[i].netns != netns;)
		i++;
	names->last = i;
	if (i < names->count)
		return names->known[i].name;
	if (array_grow(&known, &names->room, names->count, sizeof(*names->known)))
		return NULL;
	names->known = known;
	fresh = &names->known[names->count++];
	*fresh = (struct netns_known){ .netns = netns };
	if (!netns_name(netns, fresh->name))
		fresh->name[0] = '\0';
	return fresh->name;
}

const char *netns_names_text(struct netns_names *names, uint32_t netns, char text[NETNS_TEXT_MAX])
{
	const char *name = lookup(names, netns);

	return netns_format(netns, name ? name : "", text);
}

void netns_names_json(struct netns_names *names, uint32_t netns, json_t *object)
{
	struct netns_names single = { 0 };
	const char *name = lookup(names ? names : &single, netns);

	json_object_set_new(object, "netns", json_integer(netns));
	json_object_set_new(object, "netns_name", name && *name ? output_name(name) : json_null());
	netns_names_free(&single);
}

void netns_names_free(struct netns_names *names)
{
	free(names->known);
	*names = (struct netns_names){ 0 };
}
