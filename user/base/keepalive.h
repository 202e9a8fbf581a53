/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Computes when a keepalive is due. The interval starts at the last outbound datagram: inbound
 * traffic does not refresh the mapping in every NAT (RFC 4787, REQ-6). A random part of the
 * interval spreads the keepalives of many flows.
 */
#ifndef SLUICE_BASE_KEEPALIVE_H
#define SLUICE_BASE_KEEPALIVE_H

#include <stdint.h>

/* Returns the earliest time of a keepalive: @last_ns plus five sixths of the interval. */
uint64_t keepalive_earliest_ns(uint64_t last_ns, uint64_t interval_ns);
/* Returns the time of a keepalive, in the last sixth of the interval. @random has 16 bits. */
uint64_t keepalive_due_ns(uint64_t last_ns, uint64_t interval_ns, uint32_t random);

#endif
