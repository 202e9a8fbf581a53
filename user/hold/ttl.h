/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The TTL at which a keepalive passes the NAT and expires before the peer. */
#ifndef SLUICE_HOLD_TTL_H
#define SLUICE_HOLD_TTL_H

#include <linux/types.h>

/*
 * Returns the largest TTL that does not reach the peer, or 0 if the peer is on the link. @in_ttl is
 * the TTL of a datagram from the peer; its initial value is assumed to be 64, 128 or 255.
 */
unsigned int hold_ttl_before_peer(__u8 in_ttl);

#endif
