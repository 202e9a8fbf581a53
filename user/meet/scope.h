/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where an address is valid. A peer names addresses to which others then send: this decides which
 * ones the rendezvous server passes on.
 */
#ifndef SLUICE_MEET_SCOPE_H
#define SLUICE_MEET_SCOPE_H

#include <netinet/in.h>

enum scope {
	/*
	 * Never the address of a peer: unspecified, loopback, link-local, multicast, reserved, the
	 * metadata services of clouds; and IPv6 addresses that stand for IPv4 ones (compatible,
	 * 6to4, Teredo, NAT64), which would bypass a check of IPv4 addresses.
	 */
	SCOPE_NONE,
	SCOPE_PRIVATE, /* RFC 1918, RFC 6598, RFC 4193 */
	SCOPE_PUBLIC,
};

/* IPv4 is ::ffff:a.b.c.d. */
enum scope scope_of(const struct in6_addr *addr);

#endif
