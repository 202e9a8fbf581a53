// SPDX-License-Identifier: GPL-2.0-or-later
#include "meet/scope.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct range4 {
	uint32_t first; /* host order */
	unsigned int bits;
	enum scope scope;
};

/* The first match counts. */
static const struct range4 ranges4[] = {
	{ 0x00000000, 8, SCOPE_NONE },	   /* this network */
	{ 0x7f000000, 8, SCOPE_NONE },	   /* loopback */
	{ 0xa9fe0000, 16, SCOPE_NONE },	   /* link-local, and 169.254.169.254 */
	{ 0x646464c8, 32, SCOPE_NONE },	   /* 100.100.100.200, metadata */
	{ 0xa83f8110, 32, SCOPE_NONE },	   /* 168.63.129.16, metadata */
	{ 0xc0000000, 24, SCOPE_NONE },	   /* RFC 6890 */
	{ 0xc0586300, 24, SCOPE_NONE },	   /* relays of 6to4 */
	{ 0xe0000000, 3, SCOPE_NONE },	   /* multicast, reserved, broadcast */
	{ 0x0a000000, 8, SCOPE_PRIVATE },  /* RFC 1918 */
	{ 0xac100000, 12, SCOPE_PRIVATE }, /* RFC 1918 */
	{ 0xc0a80000, 16, SCOPE_PRIVATE }, /* RFC 1918 */
	{ 0x64400000, 10, SCOPE_PRIVATE }, /* RFC 6598 */
};

static enum scope scope4(uint32_t addr)
{
	size_t i;

	for (i = 0; i < sizeof(ranges4) / sizeof(*ranges4); i++)
		if (!((addr ^ ranges4[i].first) >> (32 - ranges4[i].bits)))
			return ranges4[i].scope;
	return SCOPE_PUBLIC;
}

/* The metadata services of AWS, Google, Oracle and Scaleway: a /32 each. */
static bool is_metadata(uint32_t first)
{
	return first == 0xfd000ec2 || first == 0xfd2000ce || first == 0xfd0000c1 ||
	       first == 0xfd000042;
}

enum scope scope_of(const struct in6_addr *addr)
{
	const uint32_t first = ntohl(addr->s6_addr32[0]);

	if (IN6_IS_ADDR_V4MAPPED(addr))
		return scope4(ntohl(addr->s6_addr32[3]));
	if (is_metadata(first))
		return SCOPE_NONE;
	if (first >> 25 == 0xfc >> 1)
		return SCOPE_PRIVATE;
	/*
	 * IANA assigns public addresses only from 2000::/3, which excludes NAT64 and compatible
	 * addresses
	 */
	if (first >> 29 != 1 || first == 0x20010000 || first >> 16 == 0x2002)
		return SCOPE_NONE;
	return SCOPE_PUBLIC;
}
