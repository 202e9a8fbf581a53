// SPDX-License-Identifier: GPL-2.0-or-later
#include "meet/rendezvous/config.h"

struct stun_endpoint listener_address(const struct listener *listener, unsigned int role)
{
	struct stun_endpoint at = listener->at;

	if (role & SOCKET_OTHER_ADDR)
		at.addr = listener->alternate.addr;
	if (role & SOCKET_OTHER_PORT)
		at.port_be = listener->alternate.port_be;
	return at;
}
