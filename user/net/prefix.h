/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Counts what the addresses of a prefix hold: a /24 of IPv4, a /56 of IPv6. */
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

/* Returns the count of the prefix of an address. */
uint32_t prefixes_count(const struct prefixes *prefixes, const struct in6_addr *addr);
/* Counts one more. Returns 0 or -ENOMEM. */
int prefixes_add(struct prefixes *prefixes, const struct in6_addr *addr);
/* Counts one less, after prefixes_add(). */
void prefixes_remove(struct prefixes *prefixes, const struct in6_addr *addr);
size_t prefixes_bytes(const struct prefixes *prefixes);

#endif
