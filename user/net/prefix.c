// SPDX-License-Identifier: GPL-2.0-or-later
#include "net/prefix.h"

#include "base/hash.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Freed when its count drops to 0. */
struct prefix {
	UT_hash_handle hh;
	uint64_t prefix;
	uint32_t count;
};

uint64_t prefix_of(const struct in6_addr *addr)
{
	uint64_t high_be;

	/* map IPv4 to 0:1::/40, which contains no IPv6 address in use */
	if (IN6_IS_ADDR_V4MAPPED(addr))
		return 1ULL << 32 | ntohl(addr->s6_addr32[3]) >> 8;
	memcpy(&high_be, addr, sizeof(high_be));
	return be64toh(high_be) >> 8 << 8;
}

static struct prefix *find(const struct prefixes *prefixes, const struct in6_addr *addr)
{
	uint64_t wanted = prefix_of(addr);
	struct prefix *prefix;

	HASH_FIND(hh, prefixes->by_prefix, &wanted, sizeof(wanted), prefix);
	return prefix;
}

uint32_t prefixes_count(const struct prefixes *prefixes, const struct in6_addr *addr)
{
	const struct prefix *prefix = find(prefixes, addr);

	return prefix ? prefix->count : 0;
}

int prefixes_add(struct prefixes *prefixes, const struct in6_addr *addr)
{
	struct prefix *prefix = find(prefixes, addr);

	if (!prefix) {
		prefix = calloc(1, sizeof(*prefix));
		if (!prefix)
			return -ENOMEM;
		prefix->prefix = prefix_of(addr);
		HASH_ADD(hh, prefixes->by_prefix, prefix, sizeof(prefix->prefix), prefix);
		if (!prefix->hh.tbl) {
			free(prefix);
			return -ENOMEM;
		}
	}
	prefix->count++;
	return 0;
}

void prefixes_remove(struct prefixes *prefixes, const struct in6_addr *addr)
{
	struct prefix *prefix = find(prefixes, addr);

	if (--prefix->count)
		return;
	HASH_DEL(prefixes->by_prefix, prefix);
	free(prefix);
}

size_t prefixes_bytes(const struct prefixes *prefixes)
{
	return HASH_COUNT(prefixes->by_prefix) * sizeof(struct prefix);
}
