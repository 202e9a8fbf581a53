/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The state of the sender, shared by the files that are listed below. */
#ifndef SLUICE_HOLD_SENDER_STATE_H
#define SLUICE_HOLD_SENDER_STATE_H

#include "base/timer_wheel.h"
#include "hold/maps.h"
#include "hold/raw_socket.h"
#include "hold/send_options.h"

#include <uthash.h>

/* The sender's state of a flow, indexed by the slot of the flow. */
struct hold_slot {
	struct timer timer;
	__u32 serial; /* serial of the followed flow; 0: none */
	__u32 next;   /* next slot in the queue of the namespace; 0: none */
	__u32 closes; /* hold_closes() with the cookie, at the last check that passed; 0: none */
	bool queued;
	bool delayed; /* the flow was counted as delayed */
};

/* A token bucket. */
struct hold_rate {
	__u64 per_s;
	__u64 tokens; /* in billionths of a keepalive */
	__u64 at_ns;
};

/* A namespace and its queue of flows whose keepalive is due, the longest silent flow first. */
struct hold_netns {
	__u32 number;
	__u32 first, last; /* 0: none */
	struct outlet *outlet;
	struct hold_icmp_link *icmp; /* the interfaces on which ICMP errors are read */
	size_t icmp_count, icmp_room;
	__u64 retry_ns; /* time of the next lookup of a namespace that was not found */
	__u64 full_ns;	/* time at which the send buffer was full; 0: never */
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
	struct hold_netns *netns; /* hash table by number */
	struct hold_rate rate;
	struct icmp_bpf *icmp;	   /* NULL: the program could not be loaded */
	struct nl *home_conntrack; /* for the daemon's own namespace; NULL: none */
	int home_fd;
	__u64 now_ns;
	__u64 interval_ns;
	__u64 scan_ns; /* time of the next scan */
	__u64 sent_ns; /* time of the last keepalive; 0: none yet */
	__u32 queued;
	__u32 home; /* the daemon's own namespace */
	unsigned int random;
	bool outermost; /* a probe found no outer NAT, for the address family of its server */
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
 * Reads a flow, and returns true if it gets a keepalive now. Otherwise sets its state and timer,
 * unless a different flow now uses the slot.
 */
bool hold_slot_due(struct hold_sender *sender, __u32 slot, struct sluice_hold_flow *flow);
/* Returns true if the application has neither sent nor received a datagram for --max. */
bool hold_flow_is_too_old(const struct hold_sender *sender, const struct sluice_hold_flow *flow);
/* Returns the time of the application's last datagram, or of a later keepalive. */
__u64 hold_last_sent(const struct hold_sender *sender, __u32 slot,
		     const struct sluice_hold_flow *flow);
/*
 * Sets the state of a flow. Sets its timer to @last_ns plus one interval, minus a random part of up
 * to a sixth of the interval.
 */
void hold_slot_arm(struct hold_sender *sender, __u32 slot, enum sluice_hold_state state,
		   __u64 last_ns);
/*
 * Fills in *send for a flow that was removed from the queue. Returns false, with its timer set, if
 * the flow gets no keepalive.
 */
bool hold_keepalive_prepare(struct hold_sender *sender, struct hold_netns *netns, __u32 slot,
			    struct outlet_send *send);

/* --- hold/scan.c */

/* Starts the timers of new flows, and sets the time of the next scan. */
void hold_scan(struct hold_sender *sender);

/* --- hold/renew.c */

enum hold_renew {
	HOLD_RENEW_NONE,
	HOLD_RENEW_TRANSLATED, /* only entries with a translated source */
	HOLD_RENEW_ALL,
};

/* Returns which conntrack entries of a flow are renewed in place of a keepalive. */
enum hold_renew hold_renews(const struct hold_sender *sender, const struct sluice_hold_flow *flow);
/*
 * Checks and renews the flow's conntrack entries in its own namespace and in the daemon's. Returns
 * true if a keepalive must be sent.
 */
bool hold_renew_entries(struct hold_sender *sender, struct hold_netns *netns, __u32 slot,
			const struct sluice_hold_flow *flow);

/* --- hold/queue.c */

void hold_queue_add(struct hold_sender *sender, __u32 slot, __u32 netns);
/* Sends queued keepalives within the configured rates. */
void hold_queue_run(struct hold_sender *sender);
/* Closes the outlets of namespaces without a tracked socket. */
void hold_queue_check(struct hold_sender *sender);
void hold_queue_free(struct hold_sender *sender);

/* --- hold/icmp.c */

/*
 * Loads the program that reads ICMP errors. Without it, sockets receive the errors that keepalives
 * cause.
 */
void hold_icmp_load(struct hold_sender *sender, const char *bpffs);
/* Attaches the program to an outgoing interface of a flow, unless it is already attached. */
void hold_icmp_watch(const struct hold_sender *sender, struct hold_netns *netns, __u32 ifindex);
/*
 * Removes the entries of interfaces that were deleted, or whose program was detached, so that
 * hold_icmp_watch() attaches it again.
 */
void hold_icmp_check(struct hold_netns *netns);
/* Detaches the program from the interfaces of a namespace. */
void hold_icmp_unwatch(struct hold_netns *netns);
/* Waits for ICMP errors that the last keepalives may cause. */
void hold_icmp_wait(const struct hold_sender *sender);
void hold_icmp_unload(struct hold_sender *sender);

#endif
