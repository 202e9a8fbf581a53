/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The keepalive of a flow as a complete IP packet, for a raw socket. */
#ifndef SLUICE_HOLD_PACKET_H
#define SLUICE_HOLD_PACKET_H

#include "hold/send_options.h"

#include <sluice/hold.h>
#include <stddef.h>

#define HOLD_PACKET_MAX 96 /* IPv6, UDP and the longest payload, rounded up */

/* Returns the length of a payload. */
size_t hold_payload_length(enum hold_payload payload);

/*
 * Builds the datagram from the socket to the peer, marked for recognition (sluice_hold_id()). An
 * empty one has the TTL or hop limit @ttl; another payload gets the full TTL. Returns its length.
 */
size_t hold_packet_build(__u8 packet[HOLD_PACKET_MAX], const struct sluice_hold_key *key,
			 enum hold_payload payload, unsigned int ttl, __u64 seed);

/*
 * Returns the largest TTL that does not reach the peer, from the TTL of a datagram that arrived
 * from it: initial values are 64, 128 and 255. 0: no router is between.
 */
unsigned int hold_ttl_before_peer(__u8 in_ttl);

#endif
