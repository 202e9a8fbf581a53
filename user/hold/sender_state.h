/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The state of the sender, shared by hold/sender.c, hold/keepalive.c and hold/queue.c. */
#ifndef SLUICE_HOLD_SENDER_STATE_H
#define SLUICE_HOLD_SENDER_STATE_H

#include "base/timer_wheel.h"
#include "hold/maps.h"
#include "hold/outlet.h"
#include "hold/send_options.h"

#include <uthash.h>

/* What the sender stores about a flow; the index is its slot in the table. */
struct hold_slot {
	struct timer timer;
	__u32 serial; /* of the flow that the sender follows; 0: none */
	__u32 next;   /* in the queue of its namespace; 0: the last */
	__u32 closes; /* hold_closes() when its socket was known to be open; 0: never */
	bool queued;
	bool delayed; /* counted as delayed */
};

/* A token bucket. */
struct hold_rate {
	__u64 per_s;
	__u64 tokens; /* in units of 1 / 10^9 */
	__u64 at_ns;
};

/* The flows of a namespace whose keepalive is due, the longest silent first. */
struct hold_netns {
	__u32 number;
	__u32 first, last; /* 0: none */
	struct outlet *outlet;
	__u64 retry_ns; /* the namespace was not found: no look-up before this time */
	__u64 full_ns;	/* when the send buffer was full; 0: never */
	struct hold_rate rate;
	UT_hash_handle hh;
};

struct icmp_bpf;

struct hold_sender {
	struct hold_maps maps;
	struct hold_send_options options;
	struct sluice_hold_meta meta;
	struct timer_wheel wheel;
	struct hold_slot *slots;
	struct hold_netns *netns; /* by number */
	struct hold_rate rate;
	struct icmp_bpf *icmp;	   /* NULL: the kernel refuses it */
	struct nl *home_conntrack; /* of the daemon's own namespace; NULL: none */
	int home_fd;
	__u64 now_ns;
	__u64 interval_ns;
	__u64 scan_ns; /* the next scan */
	__u64 sent_ns; /* when a datagram was sent last; 0: never */
	__u32 queued;
	__u32 home; /* the daemon's own namespace */
	unsigned int random;
	bool outermost; /* a probe has shown it for its address family */
};

#define HOLD_TICK_NS 250000000ULL

static inline void hold_count(struct hold_sender *sender, enum sluice_hold_send_counter counter)
{
	sender->maps.status->counters.value[counter]++;
}

static inline struct sluice_hold_kept *hold_kept(const struct hold_sender *sender, __u32 slot)
{
	return &sender->maps.kept[slot];
}

/* --- hold/keepalive.c */

/*
 * Reads the flow, and decides whether it gets a keepalive now. If not, its state and timer are set,
 * unless the slot has another flow now.
 */
bool hold_slot_due(struct hold_sender *sender, __u32 slot, struct sluice_hold_flow *flow);
/* Is the application's last datagram, in either direction, longer ago than --max? */
bool hold_flow_is_too_old(const struct hold_sender *sender, const struct sluice_hold_flow *flow);
/* When the flow last sent, by itself or by a keepalive. */
__u64 hold_last_sent(const struct hold_sender *sender, __u32 slot,
		     const struct sluice_hold_flow *flow);
/* Sets the state, and the timer for the next keepalive. */
void hold_slot_arm(struct hold_sender *sender, __u32 slot, enum sluice_hold_state state,
		   __u64 last_ns);
/*
 * Fills in the keepalive of a flow that left the queue. Returns false if the flow gets none, and
 * its timer is set.
 */
bool hold_keepalive_prepare(struct hold_sender *sender, struct hold_netns *netns, __u32 slot,
			    struct outlet_send *send);

/* --- hold/queue.c */

void hold_queue_add(struct hold_sender *sender, __u32 slot, __u32 netns);
/* Sends what the rates allow. */
void hold_queue_run(struct hold_sender *sender);
/* Closes the outlets of namespaces without a tracked socket. */
void hold_queue_check(struct hold_sender *sender);
void hold_queue_free(struct hold_sender *sender);

#endif
