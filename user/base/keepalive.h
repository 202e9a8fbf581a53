/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When a keepalive is due: after the last outbound datagram, since inbound traffic does not extend
 * a mapping in every NAT (RFC 4787, REQ-6). A random part of the interval keeps the keepalives of
 * many flows apart.
 */
#ifndef SLUICE_BASE_KEEPALIVE_H
#define SLUICE_BASE_KEEPALIVE_H

#include <stdint.h>

/* Returns the earliest time of a keepalive: five sixths of the interval after the last datagram. */
uint64_t keepalive_earliest_ns(uint64_t last_ns, uint64_t interval_ns);
/*
 * Returns the time of a keepalive, between the earliest and the end of the interval. @random has 16
 * bits.
 */
uint64_t keepalive_due_ns(uint64_t last_ns, uint64_t interval_ns, uint32_t random);

#endif
