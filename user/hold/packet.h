/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Builds the keepalive of a flow as a complete IP packet, for a raw socket. */
#ifndef SLUICE_HOLD_PACKET_H
#define SLUICE_HOLD_PACKET_H

#include "hold/send_options.h"

#include <sluice/hold.h>
#include <stddef.h>

#define HOLD_PACKET_MAX 96 /* IPv6, UDP and the longest payload, rounded up */

/* Returns the length of a payload in bytes. */
size_t hold_payload_length(enum hold_payload payload);

/*
 * Builds a datagram from the socket to the peer. The programs recognise it by its id
 * (sluice_hold_id()). @ttl is the TTL or hop limit of an empty datagram; other payloads get the
 * full TTL. Returns the length of the packet in bytes.
 */
size_t hold_packet_build(__u8 packet[HOLD_PACKET_MAX], const struct sluice_hold_key *key,
			 enum hold_payload payload, unsigned int ttl, __u64 seed);

#endif
