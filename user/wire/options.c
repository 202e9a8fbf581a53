// SPDX-License-Identifier: GPL-2.0-or-later
#include "wire/options.h"

#include "base/opt.h"
#include "base/suggest.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

int value_names(const char *what, char *list, struct wire_names *names, struct err *err)
{
	char *name;

	while ((name = strsep(&list, ","))) {
		name += strspn(name, " \t");
		if (!*name || strlen(name) >= IF_NAMESIZE || strpbrk(name, "/ \t"))
			return err_mend(err,
					err_set(err, EXIT_USAGE, EINVAL, "%s: '%s': %s", what, name,
						*name ? "no name of an interface" : "empty"),
					"give the names of interfaces, as in eth0,eth1");
		if (names->count == WIRE_NAMES_MAX)
			return err_set(err, EXIT_USAGE, E2BIG, "%s: more than %d names", what,
				       WIRE_NAMES_MAX);
		names->name[names->count++] = name;
	}
	return 0;
}

static int addr_add(const char *what, const char *text, struct sluice_addr *list, int *count,
		    int max, struct err *err)
{
	struct sluice_addr addr = { .word_be = { 0, 0, htonl(0xffff) } };

	text += strspn(text, " \t");
	if (inet_pton(AF_INET, text, &addr.word_be[3]) != 1 &&
	    inet_pton(AF_INET6, text, &addr) != 1)
		return err_mend(
			err,
			err_set(err, EXIT_USAGE, EINVAL, "%s: '%s': not an IP address", what, text),
			"give addresses, as in 10.0.0.5,10.0.1.5");
	if (*count == max)
		return err_set(err, EXIT_USAGE, E2BIG, "%s: more than %d addresses", what, max);
	list[(*count)++] = addr;
	return 0;
}

static int addrs_add(const char *what, const char *value, struct sluice_addr *list, int *count,
		     int max, struct err *err)
{
	char *copy = strdup(value), *rest = copy;
	int result = 0, before = *count;
	const char *item;

	if (!copy)
		return err_set(err, EXIT_ERROR, ENOMEM, "%s: no memory", what);
	while (!result && (item = strsep(&rest, ",")))
		result = addr_add(what, item, list, count, max, err);
	if (result)
		*count = before;
	free(copy);
	return result;
}

int value_servers(const char *what, const char *list, struct wire_options *wire, struct err *err)
{
	return addrs_add(what, list, wire->server, &wire->servers, WIRE_SERVERS_MAX, err);
}

int value_except(const char *what, const char *list, struct wire_options *wire, struct err *err)
{
	return addrs_add(what, list, wire->except, &wire->excepts, WIRE_EXCEPT_MAX, err);
}

int value_via(const char *what, const char *value, enum sluice_wire_via *via, struct err *err)
{
	static const char *const words[] = { "auto", "tcx", "clsact" };
	const char *nearest;

	if (!strcmp(value, "tcx"))
		*via = SLUICE_WIRE_TCX;
	else if (!strcmp(value, "clsact"))
		*via = SLUICE_WIRE_CLSACT;
	else if (!strcmp(value, "auto"))
		*via = 0;
	else {
		nearest = word_nearest(value, words, 3);
		err_set(err, EXIT_USAGE, EINVAL, "%s: unknown way '%s'", what, value);
		return nearest ? err_mend(err, -EINVAL, "did you mean '%s'?", nearest)
			       : err_mend(err, -EINVAL, "give 'tcx', 'clsact' or 'auto'");
	}
	return 0;
}
