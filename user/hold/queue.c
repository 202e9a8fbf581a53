// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A queue of due keepalives for each network namespace, sorted by the time at which they became
 * due. If the rate is too low for all keepalives, the flow that has been silent longest comes
 * first.
 */
#include "hold/sender_state.h"

#include <errno.h>
#include <stdlib.h>

#define SECOND 1000000000ULL

/* --- rates */

static __u64 allowed(struct hold_rate *rate, __u64 now_ns)
{
	__u64 elapsed = now_ns - rate->at_ns, most = rate->per_s * HOLD_TICK_NS;

	/* allow at least one keepalive, whatever the rate */
	most = most > SECOND ? most : SECOND;
	if (!rate->at_ns || elapsed > SECOND)
		elapsed = SECOND;
	rate->tokens += elapsed * rate->per_s;
	rate->tokens = rate->tokens < most ? rate->tokens : most;
	rate->at_ns = now_ns;
	return rate->tokens / SECOND;
}

static void spend(struct hold_rate *rate, __u64 count)
{
	rate->tokens -= count * SECOND;
}

/* --- queues */

static struct hold_netns *netns_of(struct hold_sender *sender, __u32 number)
{
	struct hold_netns *netns;

	HASH_FIND(hh, sender->netns, &number, sizeof(number), netns);
	if (netns)
		return netns;
	netns = calloc(1, sizeof(*netns));
	if (!netns)
		return NULL;
	netns->number = number;
	netns->rate.per_s = sender->options.rate_netns;
	HASH_ADD(hh, sender->netns, number, sizeof(netns->number), netns);
	return netns;
}

void hold_queue_add(struct hold_sender *sender, __u32 slot, __u32 number)
{
	struct hold_netns *netns = netns_of(sender, number);
	struct hold_slot *at = &sender->slots[slot];

	if (!netns) {
		hold_slot_arm(sender, slot, SLUICE_HOLD_FAILED, sender->now_ns);
		return;
	}
	at->next = 0;
	at->queued = true;
	at->delayed = false;
	if (netns->last)
		sender->slots[netns->last].next = slot;
	else
		netns->first = slot;
	netns->last = slot;
	sender->queued++;
}

static __u32 queue_take(struct hold_sender *sender, struct hold_netns *netns)
{
	__u32 slot = netns->first;

	netns->first = sender->slots[slot].next;
	if (!netns->first)
		netns->last = 0;
	sender->slots[slot].queued = false;
	sender->queued--;
	return slot;
}

/* --- sending */

/* Returns true if the send failed because a buffer is full; a retry may then succeed. */
static bool is_full(int result)
{
	return result == -EAGAIN || result == -ENOBUFS || result == -ENOMEM;
}

static void send_batch(struct hold_sender *sender, struct hold_netns *netns, __u64 count)
{
	static struct outlet_send sends[OUTLET_BATCH];
	__u32 slots[OUTLET_BATCH];
	size_t i, prepared = 0;

	for (; netns->first && count; count--) {
		slots[prepared] = queue_take(sender, netns);
		if (hold_keepalive_prepare(sender, netns, slots[prepared], &sends[prepared]))
			prepared++;
	}
	if (!prepared)
		return;
	outlet_send(netns->outlet, sends, prepared, sender->options.payload, sender->meta.seed);
	for (i = 0; i < prepared; i++) {
		struct sluice_hold_kept *kept = hold_kept(sender, slots[i]);

		if (is_full(sends[i].result)) {
			netns->full_ns = sender->now_ns;
			hold_queue_add(sender, slots[i], netns->number);
			continue;
		}
		if (sends[i].result) {
			hold_count(sender, SLUICE_HOLD_SEND_send_failed);
			/* retry soon: a route or an address may be changing */
			hold_slot_arm(sender, slots[i], SLUICE_HOLD_FAILED,
				      sender->now_ns - sender->interval_ns * 2 / 3);
			continue;
		}
		kept->kept_ns = sender->now_ns;
		kept->sent++;
		hold_count(sender, SLUICE_HOLD_SEND_sent);
		hold_slot_arm(sender, slots[i], SLUICE_HOLD_KEPT, sender->now_ns);
	}
}

/*
 * Of the namespaces whose rate allows a keepalive, returns the one whose first flow has waited
 * longest. Sets *count to the number of keepalives that its rate allows.
 */
static struct hold_netns *next_netns(struct hold_sender *sender, __u64 *count)
{
	struct hold_netns *netns, *next = NULL;
	__u64 most;

	for (netns = sender->netns; netns; netns = netns->hh.next) {
		if (!netns->first || netns->full_ns == sender->now_ns)
			continue;
		most = allowed(&netns->rate, sender->now_ns);
		if (!most || (next && sender->maps.kept[netns->first].due_ns >=
					      sender->maps.kept[next->first].due_ns))
			continue;
		next = netns;
		*count = most;
	}
	return next;
}

/* Counts the flows that are still queued as delayed, each only once. */
static void count_delayed(struct hold_sender *sender)
{
	struct hold_netns *netns;
	__u32 slot;

	for (netns = sender->netns; netns; netns = netns->hh.next) {
		for (slot = netns->first; slot; slot = sender->slots[slot].next) {
			if (sender->slots[slot].delayed)
				continue;
			sender->slots[slot].delayed = true;
			hold_count(sender, SLUICE_HOLD_SEND_delayed);
		}
	}
}

void hold_queue_run(struct hold_sender *sender)
{
	struct hold_netns *netns;
	__u64 all, count = 0;

	while (sender->queued) {
		all = allowed(&sender->rate, sender->now_ns);
		netns = all ? next_netns(sender, &count) : NULL;
		if (!netns)
			break;
		count = count < all ? count : all;
		count = count < OUTLET_BATCH ? count : OUTLET_BATCH;
		spend(&sender->rate, count);
		spend(&netns->rate, count);
		send_batch(sender, netns, count);
	}
	if (sender->queued)
		count_delayed(sender);
}

static void netns_free(struct hold_sender *sender, struct hold_netns *netns)
{
	hold_icmp_unwatch(netns);
	outlet_close(netns->outlet);
	HASH_DEL(sender->netns, netns);
	free(netns);
}

void hold_queue_check(struct hold_sender *sender)
{
	struct hold_netns *netns, *after;

	for (netns = sender->netns; netns; netns = after) {
		after = netns->hh.next;
		hold_icmp_check(netns);
		if (!netns->first && !hold_netns_sockets(&sender->maps, netns->number))
			netns_free(sender, netns);
	}
}

void hold_queue_free(struct hold_sender *sender)
{
	while (sender->netns)
		netns_free(sender, sender->netns);
}
