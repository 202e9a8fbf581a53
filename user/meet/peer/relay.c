// SPDX-License-Identifier: GPL-2.0-or-later
#include "meet/peer/relay.h"

/* 100::/64 */
static const uint8_t prefix[8] = { 1 };

struct stun_endpoint relay_endpoint(unsigned int server, uint16_t channel)
{
	struct stun_endpoint at = { .port_be = htons(channel) };

	memcpy(&at.addr, prefix, sizeof(prefix));
	at.addr.s6_addr32[3] = htonl(server);
	return at;
}

bool relay_is_endpoint(const struct stun_endpoint *at)
{
	return !memcmp(&at->addr, prefix, sizeof(prefix));
}

unsigned int relay_server(const struct stun_endpoint *at)
{
	return ntohl(at->addr.s6_addr32[3]);
}

uint16_t relay_channel(const struct stun_endpoint *at)
{
	return ntohs(at->port_be);
}
