// SPDX-License-Identifier: GPL-2.0-or-later
#include "net/sockaddr.h"

#include "base/addr.h"

#include <string.h>

socklen_t endpoint_to_sockaddr(const struct stun_endpoint *endpoint, uint32_t ifindex,
			       union any_sockaddr *addr)
{
	memset(addr, 0, sizeof(*addr));
	if (addr_is_ip4(&endpoint->addr)) {
		addr->ip4.sin_family = AF_INET;
		addr->ip4.sin_port = endpoint->port_be;
		addr->ip4.sin_addr.s_addr = endpoint->addr.s6_addr32[3];
		return sizeof(addr->ip4);
	}
	addr->ip6.sin6_family = AF_INET6;
	addr->ip6.sin6_port = endpoint->port_be;
	addr->ip6.sin6_addr = endpoint->addr;
	addr->ip6.sin6_scope_id = ifindex;
	return sizeof(addr->ip6);
}

uint32_t endpoint_from_sockaddr(struct stun_endpoint *endpoint, const union any_sockaddr *addr)
{
	endpoint->tcp = false;
	if (addr->sa.sa_family == AF_INET6) {
		endpoint->addr = addr->ip6.sin6_addr;
		endpoint->port_be = addr->ip6.sin6_port;
		return addr->ip6.sin6_scope_id;
	}
	memset(&endpoint->addr, 0, sizeof(endpoint->addr));
	endpoint->addr.s6_addr16[5] = 0xffff;
	endpoint->addr.s6_addr32[3] = addr->ip4.sin_addr.s_addr;
	endpoint->port_be = addr->ip4.sin_port;
	return 0;
}
