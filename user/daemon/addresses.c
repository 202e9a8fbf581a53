// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/addresses.h"

#include "kernel/inet.h"

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

int addrs_add(struct addrs *addrs, const struct in6_addr *addr)
{
	const struct inet_local local = { .addr = *addr, .bits = INET_BITS_MAX };

	return inet_add_local(&addrs->known, &local);
}

/* An address stands there as such, and in the local table of routes. */
static bool is_again(const struct inet *inet, size_t at)
{
	return at && IN6_ARE_ADDR_EQUAL(&inet->local[at].addr, &inet->local[at - 1].addr);
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
	inet_sort(&addrs->known);
	for (i = 0; i < addrs->known.locals; i++)
		if (!is_again(&addrs->known, i) && is_gone(&addrs->known.local[i], &now))
			list[found++] = addrs->known.local[i].addr;
	inet_free(&addrs->known);
	addrs->known = now;
	*gone = list;
	*count = found;
	return 0;
}
