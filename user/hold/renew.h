/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The entry of a flow in this host's conntrack table, which may be the NAT that the flow needs. */
#ifndef SLUICE_HOLD_RENEW_H
#define SLUICE_HOLD_RENEW_H

#include <sluice/hold.h>
#include <stdbool.h>

struct nl;

enum hold_renew {
	HOLD_RENEW_NONE,
	HOLD_RENEW_TRANSLATED, /* only where this host has translated the source */
	HOLD_RENEW_ALL,
};

enum hold_entry {
	HOLD_ENTRY_NONE,      /* conntrack does not know the flow */
	HOLD_ENTRY_GOOD,      /* answered, and mapped as before */
	HOLD_ENTRY_RENEWED,   /* the same, and it lives on without a datagram */
	HOLD_ENTRY_UNREPLIED, /* conntrack has seen no reply */
	HOLD_ENTRY_REMAPPED,  /* NAT has given it another address or port than *mapping */
};

/*
 * Looks the flow up, and renews its entry if @renew allows: then it lives for at least @timeout_s
 * from now. @mapping is the digest of the translated source; 0 accepts any. Sets *mapping to the
 * present one.
 */
enum hold_entry hold_entry_renew(struct nl *conntrack, const struct sluice_hold_key *key,
				 enum hold_renew renew, __u32 timeout_s, __u32 *mapping);

#endif
