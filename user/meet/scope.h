/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The scope in which an address is valid. Peers send to the candidates of other peers, and this
 * decides which ones the rendezvous server forwards.
 */
#ifndef SLUICE_MEET_SCOPE_H
#define SLUICE_MEET_SCOPE_H

#include <netinet/in.h>

enum scope {
	/*
	 * Never the address of a peer: unspecified, loopback, link-local, multicast, reserved, and
	 * cloud metadata services. Also IPv6 addresses that embed IPv4 ones (compatible, 6to4,
	 * Teredo, NAT64): they would bypass the checks of IPv4 addresses.
	 */
	SCOPE_NONE,
	SCOPE_PRIVATE, /* RFC 1918, RFC 6598, RFC 4193 */
	SCOPE_PUBLIC,
};

/* IPv4 is ::ffff:a.b.c.d. */
enum scope scope_of(const struct in6_addr *addr);

#endif
