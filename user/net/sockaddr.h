/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Converts between socket addresses and the endpoints of net/stun.h. */
#ifndef SLUICE_NET_SOCKADDR_H
#define SLUICE_NET_SOCKADDR_H

#include "net/stun.h"

#include <netinet/in.h>
#include <sys/socket.h>

union any_sockaddr {
	struct sockaddr sa;
	struct sockaddr_in ip4;
	struct sockaddr_in6 ip6;
};

/* Fills *addr and returns its length. @ifindex is the link of a link-local address, else 0. */
socklen_t endpoint_to_sockaddr(const struct stun_endpoint *endpoint, uint32_t ifindex,
			       union any_sockaddr *addr);
/* Fills *endpoint. Returns the ifindex of a link-local address, else 0. */
uint32_t endpoint_from_sockaddr(struct stun_endpoint *endpoint, const union any_sockaddr *addr);

#endif
