// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/ports.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PORT_MAX 65535

static int bad_item(struct err *err, const char *item, const char *reason)
{
	return err_hint(err, err_set(err, EXIT_USAGE, EINVAL, "'%s': %s", item, reason),
			"give ports and ranges such as 53,5000-5100, or 'any'");
}

/* Parses a port and advances *text. Returns 0, -EINVAL without a number, or -ERANGE. */
static int port_parse(const char **text, unsigned int *port)
{
	unsigned long number;
	char *end;

	if (**text < '0' || **text > '9')
		return -EINVAL;
	number = strtoul(*text, &end, 10);
	*text = end;
	if (number < 1 || number > PORT_MAX)
		return -ERANGE;
	*port = number;
	return 0;
}

static int item_parse(const char *item, struct ports *ports, struct err *err)
{
	unsigned int first = 0, last = 0;
	const char *at = item;
	int result = port_parse(&at, &first);

	last = first;
	if (!result && *at == '-') {
		at++;
		result = port_parse(&at, &last);
	}
	if (result == -ERANGE)
		return bad_item(err, item, "a port is a number from 1 to 65535");
	if (result || *at)
		return bad_item(err, item, "neither a port nor a range");
	if (first > last)
		return bad_item(err, item, "the range is reversed");
	for (; first <= last; first++)
		ports->bit[first / 64] |= 1ULL << first % 64;
	return 0;
}

int ports_parse(const char *list, struct ports *ports, struct err *err)
{
	struct ports parsed = { .any = !strcmp(list, "any") };
	char *copy, *rest;
	const char *item;
	int result = 0;

	copy = strdup(list);
	if (!copy)
		return err_set(err, EXIT_ERROR, ENOMEM, "out of memory");
	rest = copy;
	while (!parsed.any && !result && (item = strsep(&rest, ",")))
		result = *item ? item_parse(item, &parsed, err)
			       : bad_item(err, list, "a port is empty");
	free(copy);
	if (!result)
		*ports = parsed;
	return result;
}

bool ports_empty(const struct ports *ports)
{
	static const struct ports none;

	return ports_are_same(ports, &none);
}

bool ports_are_same(const struct ports *a, const struct ports *b)
{
	return a->any == b->any && !memcmp(a->bit, b->bit, sizeof(a->bit));
}

bool ports_contain(const struct ports *ports, uint16_t port)
{
	return ports->any || ports->bit[port / 64] >> port % 64 & 1;
}

const char *ports_format(const struct ports *ports, char *text, size_t size)
{
	static const char more[] = ",…";
	unsigned int first, last;
	size_t used = 0;

	snprintf(text, size, "%s", ports->any ? "any" : "");
	for (first = 1; !ports->any && first <= PORT_MAX; first = last + 1) {
		char item[16];
		size_t length;

		last = first;
		if (!ports_contain(ports, first))
			continue;
		while (last < PORT_MAX && ports_contain(ports, last + 1))
			last++;
		length = (size_t)snprintf(item, sizeof(item), last > first ? "%s%u-%u" : "%s%u",
					  used ? "," : "", first, last);
		if (used + length + sizeof(more) > size) {
			snprintf(text + used, size - used, "%s", more);
			break;
		}
		memcpy(text + used, item, length + 1);
		used += length;
	}
	return text;
}
