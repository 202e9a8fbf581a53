/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A channel of a server's relay as an address, so that a session treats the other peer behind the
 * relay as it treats any of its addresses. The addresses are from the discard-only prefix (RFC
 * 6666): they never appear on a network, and no candidate may have one (meet/scope.h).
 */
#ifndef SLUICE_MEET_PEER_RELAY_H
#define SLUICE_MEET_PEER_RELAY_H

#include "net/stun.h"

/* @server: the index of the server; @channel: the own number. */
struct stun_endpoint relay_endpoint(unsigned int server, uint16_t channel);
bool relay_is_endpoint(const struct stun_endpoint *at);
/* Of an address for which relay_is_endpoint() is true. */
unsigned int relay_server(const struct stun_endpoint *at);
uint16_t relay_channel(const struct stun_endpoint *at);

#endif
