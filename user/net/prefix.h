/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Counts objects by address prefix: by /24 for IPv4, by /56 for IPv6. */
#ifndef SLUICE_NET_PREFIX_H
#define SLUICE_NET_PREFIX_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

/* Returns the prefix of an address, as a number. */
uint64_t prefix_of(const struct in6_addr *addr);

struct prefix;
struct prefixes {
	struct prefix *by_prefix;
};

/* Returns the number of entries for the prefix of an address. */
uint32_t prefixes_count(const struct prefixes *prefixes, const struct in6_addr *addr);
/* Counts one more entry for the prefix. Returns 0 or -ENOMEM. */
int prefixes_add(struct prefixes *prefixes, const struct in6_addr *addr);
/* Removes an entry that prefixes_add() has counted. */
void prefixes_remove(struct prefixes *prefixes, const struct in6_addr *addr);
size_t prefixes_bytes(const struct prefixes *prefixes);

#endif
