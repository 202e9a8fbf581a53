// SPDX-License-Identifier: GPL-2.0-or-later
#include "run_addrs.h"

#include "inet.h"

#include <errno.h>
#include <stdlib.h>

struct addrs {
	struct inet known;
};

struct addrs *addrs_new(void)
{
	return calloc(1, sizeof(struct addrs));
}

void addrs_free(struct addrs *addrs)
{
	if (!addrs)
		return;
	inet_free(&addrs->known);
	free(addrs);
}

static bool is_gone(const struct inet_local *local, const struct inet *now)
{
	return local->bits == INET_BITS_MAX && !local->broadcast &&
	       !inet_is_local(now, &local->addr);
}

int addrs_gone(struct addrs *addrs, struct in6_addr **gone, size_t *count, struct err *err)
{
	struct in6_addr *list = calloc(addrs->known.locals + 1, sizeof(*list));
	struct inet now = { 0 };
	size_t i, found = 0;
	int result = list ? inet_read_locals(&now, err)
			  : err_set(err, EXIT_ERROR, ENOMEM, "addresses: no memory");

	if (result) {
		free(list);
		return result;
	}
	for (i = 0; i < addrs->known.locals; i++)
		if (is_gone(&addrs->known.local[i], &now))
			list[found++] = addrs->known.local[i].addr;
	inet_free(&addrs->known);
	addrs->known = now;
	*gone = list;
	*count = found;
	return 0;
}
