// SPDX-License-Identifier: GPL-2.0-or-later
#include "hold/renew.h"

#include "net/conntrack.h"

#include <linux/netfilter/nf_conntrack_common.h>
#include <string.h>

/* Returns a digest of the translated source; never 0. */
static __u32 mapping_of(const struct ct_entry *entry)
{
	struct sluice_addr source;
	__u64 hash;

	memcpy(&source, &entry->reply.dst, sizeof(source));
	hash = sluice_flow_hash(0, 0, 0, &source, entry->reply.dst_port_be, 0);
	return (__u32)(hash >> 32) | 1;
}

enum hold_entry hold_entry_renew(struct nl *conntrack, const struct sluice_hold_key *key,
				 enum hold_renew renew, __u32 timeout_s, __u32 *mapping)
{
	struct ct_entry wanted = { .original = { .src_port_be = key->local_port_be,
						 .dst_port_be = key->peer_port_be } };
	struct ct_entry entry = { .id = 0 };
	__u32 was = *mapping;

	memcpy(&wanted.original.src, &key->local, sizeof(wanted.original.src));
	memcpy(&wanted.original.dst, &key->peer, sizeof(wanted.original.dst));
	if (!conntrack || conntrack_get(conntrack, &wanted, &entry))
		return HOLD_ENTRY_NONE;
	if (!(entry.status & IPS_SEEN_REPLY))
		return HOLD_ENTRY_UNREPLIED;
	*mapping = mapping_of(&entry);
	if (was && was != *mapping)
		return HOLD_ENTRY_REMAPPED;
	if (renew == HOLD_RENEW_NONE ||
	    (renew == HOLD_RENEW_TRANSLATED && !conntrack_is_snat(&entry)) ||
	    (timeout_s > entry.timeout_s && conntrack_renew(conntrack, &entry, timeout_s)))
		return HOLD_ENTRY_GOOD;
	return HOLD_ENTRY_RENEWED;
}
