// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/netns_names.h"

#include "base/array.h"
#include "base/netns.h"
#include "base/text.h"

#include <stdlib.h>

struct netns_known {
	uint32_t netns;
	char name[NAME_MAX + 1]; /* "": none */
};

/* Returns the name, "" for none, or NULL on ENOMEM. */
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

const char *netns_names_text(struct netns_names *names, uint32_t netns, char text[NAME_MAX + 1])
{
	const char *name = lookup(names, netns);

	if (name && *name)
		return text_plain_copy(text, NAME_MAX + 1, name);
	snprintf(text, NAME_MAX + 1, "%u", netns);
	return text;
}

json_t *netns_names_json(struct netns_names *names, uint32_t netns)
{
	const char *name = lookup(names, netns);

	return name && *name ? output_name(name) : json_null();
}

void netns_names_free(struct netns_names *names)
{
	free(names->known);
	*names = (struct netns_names){ 0 };
}
