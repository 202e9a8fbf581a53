// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Checks the conntrack entry of a flow. If this host is itself the NAT, the entry is renewed and no
 * keepalive is sent. If the peer does not know the mapping of the entry, no keepalive is sent
 * either.
 */
#include "base/addr.h"
#include "hold/sender_state.h"
#include "net/conntrack.h"

#include <linux/netfilter/nf_conntrack_common.h>
#include <string.h>

#define SECOND 1000000000ULL
/*
 * Timeout of a renewed entry, in intervals: it must not expire before a delayed daemon renews it.
 */
#define RENEW_INTERVALS 3

enum entry {
	ENTRY_NONE,	 /* the flow has no entry */
	ENTRY_GOOD,	 /* the entry has seen a reply and has the same mapping */
	ENTRY_RENEWED,	 /* as ENTRY_GOOD, and its timeout was renewed */
	ENTRY_UNREPLIED, /* the entry has seen no reply */
	ENTRY_REMAPPED,	 /* the mapping differs from *mapping */
};

enum hold_renew hold_renews(const struct hold_sender *sender, const struct sluice_hold_flow *flow)
{
	if (sender->options.outermost)
		return HOLD_RENEW_ALL;
	/* a probe has found no NAT beyond this host, but there may be a firewall */
	if (sender->outermost &&
	    addr_is_ip4(&sender->options.probe.addr) == addr_is_ip4(&flow->key.peer))
		return HOLD_RENEW_TRANSLATED;
	return HOLD_RENEW_NONE;
}

/* Returns a digest of the translated source; never 0. */
static __u32 mapping_of(const struct ct_entry *entry)
{
	struct sluice_addr source;
	__u64 hash;

	memcpy(&source, &entry->reply.dst, sizeof(source));
	hash = sluice_flow_hash(0, 0, 0, &source, entry->reply.dst_port_be, 0);
	return (__u32)(hash >> 32) | 1;
}

/*
 * Looks up the entry of a flow. If @renew allows, renews its timeout to at least @timeout_s.
 * *mapping is the expected digest of the translated source, or 0 for any; sets it to the current
 * digest.
 */
static enum entry entry_renew(struct nl *conntrack, const struct sluice_hold_key *key,
			      enum hold_renew renew, __u32 timeout_s, __u32 *mapping)
{
	struct ct_entry wanted = { .original = { .src_port_be = key->local_port_be,
						 .dst_port_be = key->peer_port_be } };
	struct ct_entry entry = { .id = 0 };
	__u32 was = *mapping;

	memcpy(&wanted.original.src, &key->local, sizeof(wanted.original.src));
	memcpy(&wanted.original.dst, &key->peer, sizeof(wanted.original.dst));
	if (!conntrack || conntrack_get(conntrack, &wanted, &entry))
		return ENTRY_NONE;
	if (!(entry.status & IPS_SEEN_REPLY))
		return ENTRY_UNREPLIED;
	*mapping = mapping_of(&entry);
	if (was && was != *mapping)
		return ENTRY_REMAPPED;
	if (renew == HOLD_RENEW_NONE ||
	    (renew == HOLD_RENEW_TRANSLATED && !conntrack_is_snat(&entry)) ||
	    (timeout_s > entry.timeout_s && conntrack_renew(conntrack, &entry, timeout_s)))
		return ENTRY_GOOD;
	return ENTRY_RENEWED;
}

bool hold_renew_entries(struct hold_sender *sender, struct hold_netns *netns, __u32 slot,
			const struct sluice_hold_flow *flow)
{
	struct sluice_hold_kept *kept = hold_kept(sender, slot);
	struct nl *own = netns->outlet ? outlet_conntrack(netns->outlet) : NULL;
	struct nl *tables[] = { netns->number == sender->home ? NULL : own,
				sender->home_conntrack };
	__u64 seconds = (sender->interval_ns * RENEW_INTERVALS + SECOND - 1) / SECOND;
	bool known = false, renewed = false;
	size_t i;

	for (i = 0; i < sizeof(tables) / sizeof(*tables); i++) {
		/* a peer that has answered since the last keepalive knows the current mapping */
		__u32 mapping = i && flow->in_ns < kept->kept_ns ? kept->mapping : 0;
		enum entry entry = entry_renew(tables[i], &flow->key, hold_renews(sender, flow),
					       (__u32)seconds, &mapping);

		if (entry == ENTRY_NONE)
			continue;
		if (entry == ENTRY_UNREPLIED || entry == ENTRY_REMAPPED) {
			if (kept->state != SLUICE_HOLD_REMAPPED)
				hold_count(sender, entry == ENTRY_UNREPLIED
							   ? SLUICE_HOLD_SEND_unreplied
							   : SLUICE_HOLD_SEND_remapped);
			hold_slot_arm(sender, slot, SLUICE_HOLD_REMAPPED, sender->now_ns);
			return false;
		}
		known = true;
		renewed |= entry == ENTRY_RENEWED;
		if (i)
			kept->mapping = mapping;
	}
	/* a keepalive would only create another mapping that the peer does not know */
	if (!known && kept->state == SLUICE_HOLD_REMAPPED && flow->in_ns < kept->kept_ns &&
	    flow->out_ns < kept->kept_ns) {
		hold_slot_arm(sender, slot, SLUICE_HOLD_REMAPPED, sender->now_ns);
		return false;
	}
	if (!renewed)
		return true;
	kept->kept_ns = sender->now_ns;
	kept->sent++;
	hold_count(sender, SLUICE_HOLD_SEND_renewed);
	hold_slot_arm(sender, slot, SLUICE_HOLD_RENEWED, sender->now_ns);
	return false;
}
