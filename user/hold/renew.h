/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The conntrack entry of a flow, for a host that is itself the NAT of the flow. */
#ifndef SLUICE_HOLD_RENEW_H
#define SLUICE_HOLD_RENEW_H

#include <sluice/hold.h>
#include <stdbool.h>

struct nl;

enum hold_renew {
	HOLD_RENEW_NONE,
	HOLD_RENEW_TRANSLATED, /* only entries with a translated source */
	HOLD_RENEW_ALL,
};

enum hold_entry {
	HOLD_ENTRY_NONE,      /* conntrack does not know the flow */
	HOLD_ENTRY_GOOD,      /* the entry has seen a reply and has the same mapping */
	HOLD_ENTRY_RENEWED,   /* as above, and its timeout was renewed */
	HOLD_ENTRY_UNREPLIED, /* the entry has seen no reply */
	HOLD_ENTRY_REMAPPED,  /* the mapping differs from *mapping */
};

/*
 * Looks up the entry of a flow. If @renew allows, renews it to live for at least @timeout_s from
 * now. *mapping is the expected digest of the translated source, or 0 for any; it is set to the
 * current digest.
 */
enum hold_entry hold_entry_renew(struct nl *conntrack, const struct sluice_hold_key *key,
				 enum hold_renew renew, __u32 timeout_s, __u32 *mapping);

#endif
