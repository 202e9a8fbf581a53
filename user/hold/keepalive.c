// SPDX-License-Identifier: GPL-2.0-or-later
/* Decides whether and when a flow gets a keepalive. */
#include "base/keepalive.h"
#include "base/log.h"
#include "hold/saved.h"
#include "hold/sender_state.h"
#include "hold/ttl.h"
#include "nat/interval.h"

#define SECOND 1000000000ULL
/* Time until a missing namespace is looked up again; a lookup walks /proc. */
#define RETRY_NS (30 * SECOND)

/* --- the timer of a flow */

__u64 hold_last_sent(const struct hold_sender *sender, __u32 slot,
		     const struct sluice_hold_flow *flow)
{
	__u64 kept_ns = hold_kept(sender, slot)->kept_ns;

	return kept_ns > flow->out_ns ? kept_ns : flow->out_ns;
}

void hold_slot_arm(struct hold_sender *sender, __u32 slot, enum sluice_hold_state state,
		   __u64 last_ns)
{
	struct sluice_hold_kept *kept = hold_kept(sender, slot);

	sender->random = sender->random * 1664525U + 1013904223U;
	kept->state = (__u8)state;
	kept->due_ns = keepalive_due_ns(last_ns, sender->interval_ns, sender->random >> 16);
	timer_wheel_set(&sender->wheel, &sender->slots[slot].timer, kept->due_ns);
}

/* Stops the keepalives of a flow whose socket is closed, or that is too old. */
static void slot_end(struct hold_sender *sender, __u32 slot, const struct sluice_hold_flow *flow,
		     enum sluice_hold_state state)
{
	struct sluice_hold_kept *kept = hold_kept(sender, slot);

	timer_wheel_remove(&sender->wheel, &sender->slots[slot].timer);
	kept->state = (__u8)state;
	kept->due_ns = sender->now_ns; /* when the keepalives stopped */
	sender->maps.status->saved_ended += hold_saved(flow, kept->sent, sender->now_ns);
	hold_count(sender, state == SLUICE_HOLD_CLOSED ? SLUICE_HOLD_SEND_stopped_closed
						       : SLUICE_HOLD_SEND_stopped_max);
}

/* --- the decision */

/*
 * Sets the state of a flow that gets no keepalive now, and restarts its timer. Increments @counter
 * (-1: none) if the state has changed.
 */
static void rest(struct hold_sender *sender, __u32 slot, enum sluice_hold_state state, int counter)
{
	if (hold_kept(sender, slot)->state != state && counter >= 0)
		hold_count(sender, (enum sluice_hold_send_counter)counter);
	hold_slot_arm(sender, slot, state, sender->now_ns);
}

/*
 * Returns true if the socket is open. Looks it up only if the counter of closes that it shares with
 * other sockets has changed.
 */
static bool is_open(const struct hold_sender *sender, struct hold_slot *at,
		    const struct sluice_hold_flow *flow)
{
	/* mix in the cookie: a different socket may own the flow now */
	__u32 closes = hold_closes(&sender->maps, flow->cookie) + (__u32)flow->cookie * 2654435769U;

	if (at->closes == closes)
		return true;
	if (!hold_socket_open(&sender->maps, flow))
		return false;
	at->closes = closes;
	return true;
}

static bool is_near(const struct hold_sender *sender, const struct sluice_hold_flow *flow)
{
	return sender->options.payload == HOLD_PAYLOAD_EMPTY &&
	       hold_renews(sender, flow) == HOLD_RENEW_NONE && !hold_ttl_before_peer(flow->in_ttl);
}

bool hold_flow_is_too_old(const struct hold_sender *sender, const struct sluice_hold_flow *flow)
{
	__u64 used = flow->in_ns > flow->out_ns ? flow->in_ns : flow->out_ns;

	return sender->meta.max_ns && used + sender->meta.max_ns < sender->now_ns;
}

bool hold_slot_due(struct hold_sender *sender, __u32 slot, struct sluice_hold_flow *flow)
{
	struct hold_slot *at = &sender->slots[slot];
	__u64 last;

	if (!hold_flow_read(&sender->maps, slot, flow) || flow->serial != at->serial) {
		at->serial = 0; /* a different flow uses the slot; the next scan finds that flow */
		return false;
	}
	last = hold_last_sent(sender, slot, flow);
	if (hold_flow_is_too_old(sender, flow))
		slot_end(sender, slot, flow, SLUICE_HOLD_ENDED);
	else if (!flow->in)
		rest(sender, slot, SLUICE_HOLD_UNANSWERED, -1);
	else if (keepalive_earliest_ns(last, sender->interval_ns) > sender->now_ns + HOLD_TICK_NS)
		hold_slot_arm(sender, slot, SLUICE_HOLD_ACTIVE, last);
	else if (!is_open(sender, at, flow))
		slot_end(sender, slot, flow, SLUICE_HOLD_CLOSED);
	else if (flow->unreachable_ns)
		rest(sender, slot, SLUICE_HOLD_UNREACHABLE, SLUICE_HOLD_SEND_stopped_unreachable);
	else if (is_near(sender, flow))
		rest(sender, slot, SLUICE_HOLD_NEAR, SLUICE_HOLD_SEND_near);
	else
		return true;
	return false;
}

/* --- the keepalive */

/* Opens the outlet of the namespace if necessary. Returns false on failure. */
static bool has_outlet(struct hold_sender *sender, struct hold_netns *netns)
{
	struct err err;

	if (netns->outlet)
		return true;
	if (sender->now_ns < netns->retry_ns)
		return false;
	if (!outlet_open(&netns->outlet, netns->number, sender->home_fd, &err))
		return true;
	netns->outlet = NULL;
	if (!netns->retry_ns)
		log_warning("hold: %s", err.what);
	netns->retry_ns = sender->now_ns + RETRY_NS;
	return false;
}

bool hold_keepalive_prepare(struct hold_sender *sender, struct hold_netns *netns, __u32 slot,
			    struct outlet_send *send)
{
	struct sluice_hold_flow *flow = &send->flow;
	unsigned int before_peer;

	/* while the flow was queued, it may have sent, or its socket may have been closed */
	if (!hold_slot_due(sender, slot, flow))
		return false;
	if (sender->now_ns > hold_last_sent(sender, slot, flow) + sender->interval_ns + SECOND)
		hold_count(sender, SLUICE_HOLD_SEND_late);
	if (!has_outlet(sender, netns)) {
		hold_count(sender, SLUICE_HOLD_SEND_no_netns);
		hold_slot_arm(sender, slot, SLUICE_HOLD_FAILED, sender->now_ns);
		return false;
	}
	if (!hold_renew_entries(sender, netns, slot, flow))
		return false;
	hold_icmp_watch(sender, netns, flow->ifindex);
	before_peer = hold_ttl_before_peer(flow->in_ttl);
	send->ttl = sender->options.ttl < before_peer ? sender->options.ttl : before_peer;
	/* the peer is on the link, and conntrack had no entry to renew */
	if (send->ttl || sender->options.payload != HOLD_PAYLOAD_EMPTY)
		return true;
	hold_slot_arm(sender, slot, SLUICE_HOLD_NEAR, sender->now_ns);
	return false;
}
