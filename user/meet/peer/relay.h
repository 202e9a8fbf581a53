/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Represents a relay channel of a server as an address, so that a session handles the relay like
 * any other address of the peer. The addresses are from the discard-only prefix (RFC 6666): they
 * never appear on a network, and are never valid candidates (meet/scope.h).
 */
#ifndef SLUICE_MEET_PEER_RELAY_H
#define SLUICE_MEET_PEER_RELAY_H

#include "net/stun.h"

/* @server: index of the server; @channel: number that this peer has bound. */
struct stun_endpoint relay_endpoint(unsigned int server, uint16_t channel);
bool relay_is_endpoint(const struct stun_endpoint *at);
/* Require that relay_is_endpoint() is true. */
unsigned int relay_server(const struct stun_endpoint *at);
uint16_t relay_channel(const struct stun_endpoint *at);

#endif
