// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Finds flows for the sender: new flows that the programs have recorded since the last scan, and
 * stopped flows that are in use again.
 */
#include "hold/saved.h"
#include "hold/sender_state.h"

#include <arpa/inet.h>

#define SECOND 1000000000ULL
/* Time between two scans for new flows; for short intervals, a third of the interval. */
#define SCAN_NS (5 * SECOND)

static bool is_managed(const struct hold_sender *sender, const struct sluice_hold_key *key)
{
	const struct sluice_hold_meta *meta = &sender->meta;
	__u16 local = ntohs(key->local_port_be), peer = ntohs(key->peer_port_be);

	if (meta->netns && key->netns != meta->netns)
		return false;
	return meta->any_port || meta->ports[local >> 6] >> (local & 63) & 1 ||
	       meta->ports[peer >> 6] >> (peer & 63) & 1;
}

/* Returns true if this or an earlier daemon has stopped the keepalives of the flow. */
static bool has_ended(const struct sluice_hold_kept *kept)
{
	return kept->state == SLUICE_HOLD_ENDED || kept->state == SLUICE_HOLD_CLOSED;
}

/*
 * Returns true if a stopped flow needs keepalives again: the application has sent, or --max was
 * raised.
 */
static bool has_resumed(const struct hold_sender *sender, __u32 slot,
			const struct sluice_hold_flow *flow)
{
	const struct sluice_hold_kept *kept = hold_kept(sender, slot);

	return flow->out_ns > kept->due_ns ||
	       (kept->state == SLUICE_HOLD_ENDED && !hold_flow_is_too_old(sender, flow));
}

/* Resumes the keepalives of a stopped flow. */
static void revive(struct hold_sender *sender, __u32 slot, const struct sluice_hold_flow *flow)
{
	const struct sluice_hold_kept *kept = hold_kept(sender, slot);

	sender->maps.status->saved_ended -= hold_saved(flow, kept->sent, kept->due_ns);
	hold_slot_arm(sender, slot, SLUICE_HOLD_ACTIVE, hold_last_sent(sender, slot, flow));
}

/* Starts the timer of a flow, or continues with the state that an earlier daemon has left. */
static void follow(struct hold_sender *sender, __u32 slot)
{
	struct sluice_hold_kept *kept = hold_kept(sender, slot);
	struct sluice_hold_flow flow;

	if (!hold_flow_read(&sender->maps, slot, &flow) || !is_managed(sender, &flow.key))
		return;
	if (kept->serial != flow.serial)
		*kept = (struct sluice_hold_kept){ .serial = flow.serial };
	sender->slots[slot].serial = flow.serial;
	sender->slots[slot].closes = 0;
	if (!has_ended(kept))
		hold_slot_arm(sender, slot, flow.in ? SLUICE_HOLD_ACTIVE : SLUICE_HOLD_UNANSWERED,
			      hold_last_sent(sender, slot, &flow));
	else if (has_resumed(sender, slot, &flow))
		revive(sender, slot, &flow);
}

/* Checks a followed flow: if its state has changed, its keepalive may be due earlier. */
static void look(struct hold_sender *sender, __u32 slot)
{
	const struct sluice_hold_flow *flow = &sender->maps.flows[slot];
	struct sluice_hold_kept *kept = hold_kept(sender, slot);

	if ((kept->state == SLUICE_HOLD_UNANSWERED && flow->in) ||
	    (kept->state == SLUICE_HOLD_UNREACHABLE && !flow->unreachable_ns)) {
		hold_slot_arm(sender, slot, SLUICE_HOLD_ACTIVE, hold_last_sent(sender, slot, flow));
	} else if (has_ended(kept) && has_resumed(sender, slot, flow)) {
		revive(sender, slot, flow);
	}
}

/* A scan of a million slots takes some milliseconds: it reads only one cache line of most slots. */
void hold_scan(struct hold_sender *sender)
{
	__u32 slot, used = hold_maps_used(&sender->maps);
	__u64 third = sender->interval_ns / 3;

	for (slot = 1; slot <= used; slot++) {
		const struct sluice_hold_flow *flow = &sender->maps.flows[slot];
		struct hold_slot *at = &sender->slots[slot];

		if (at->queued || !flow->cookie)
			continue;
		if (at->serial == flow->serial) {
			look(sender, slot);
			continue;
		}
		timer_wheel_remove(&sender->wheel, &at->timer);
		at->serial = 0;
		follow(sender, slot);
	}
	hold_queue_check(sender);
	sender->maps.status->alive_ns = sender->now_ns;
	sender->scan_ns = sender->now_ns + (third < SCAN_NS ? third : SCAN_NS);
}
