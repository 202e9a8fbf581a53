/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/* The maps shared by the XDP program of the rendezvous server and its loader. */
#ifndef SLUICE_MEET_H
#define SLUICE_MEET_H

#include <linux/types.h>
#include <sluice/flow.h>
#include <sluice/siphash.h>

#define SLUICE_MEET_LISTEN_MAX 64 /* addresses */

/* The requests that the program answers at an address. */
enum sluice_meet_service {
	SLUICE_MEET_REFRESH = 1,
	SLUICE_MEET_BINDING = 2, /* not if answers must name an alternate address */
};

/* Map key: an address and a port of the server. The value has bits of enum sluice_meet_service. */
struct sluice_meet_listen {
	struct sluice_addr addr;
	__be16 port_be;
	__u16 zero[3];
};
_Static_assert(sizeof(struct sluice_meet_listen) == 24, "struct sluice_meet_listen");

/*
 * A registration over UDP, at its slot (<sluice/rendezvous.h>). User space writes the epoch last.
 * The program stores the time of a refresh; user space reads it before it lets a registration
 * expire.
 */
struct sluice_meet_peer {
	struct sluice_siphash_key key; /* key for the MACs of the refresh and its answer */
	struct sluice_addr addr;
	__be16 port_be;
	__u16 zero;
	__u32 epoch;   /* 0: the slot is free */
	__u64 seen_ns; /* CLOCK_MONOTONIC */
};
_Static_assert(sizeof(struct sluice_meet_peer) == 48, "struct sluice_meet_peer");

/*
 * Budgets limit the answers to sources that have not proved their address, per prefix: a /24 of
 * IPv4 or a /56 of IPv6. An entry is one number, the time at which its budget is full again
 * (generic cell rate algorithm). The table has a fixed size, so a flood of forged sources creates
 * no state.
 */
#define SLUICE_MEET_BUDGETS_SHIFT 16
#define SLUICE_MEET_BUDGETS	  (1U << SLUICE_MEET_BUDGETS_SHIFT)

SLUICE_FLOW_INLINE __u32 sluice_meet_budget_index(__u64 seed, const struct sluice_addr *source)
{
	/* the high half of the address: 0 for each IPv4 address, and for no IPv6 prefix in use */
	__u64 prefix = source->half[0];

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	prefix = __builtin_bswap64(prefix);
#endif
	if (!prefix)
		prefix = __builtin_bswap32((__u32)source->word_be[3]);
	return sluice_flow_mix(seed, prefix >> 8) >> (64 - SLUICE_MEET_BUDGETS_SHIFT);
}

/*
 * The outcomes for STUN messages to a listening address. Other packets are not counted; nor are
 * fragments and packets with IP options or extension headers, which user space handles. As in
 * sluice/counters.h, the list defines the index, the JSON key and the help text.
 */
#define SLUICE_MEET_COUNTERS(X)                                                                  \
	X(bindings, "Binding requests answered")                                                 \
	X(refreshes, "short refreshes of registrations answered")                                \
	X(passed_refresh, "refreshes passed: unknown registration, or not from its source")      \
	X(passed_message, "messages passed to user space, which implements all of STUN")         \
	X(passed_source, "datagrams passed: the source cannot receive an answer")                \
	X(passed_checksum, "messages passed: checksum wrong, or not filled in, as from a local " \
			   "container")                                                          \
	X(passed_lease, "messages passed: user space has not renewed the lease")                 \
	X(passed_headroom, "messages passed: the frame cannot grow")                             \
	X(dropped_budget, "requests dropped: the budget of their prefix is spent")               \
	X(aborted, "frames lost: the program failed after it had changed them")                  \
	X(in_bytes, "bytes of answered Binding requests, UDP payload")                           \
	X(out_bytes, "bytes of the answers to Binding requests, UDP payload")

enum sluice_meet_counter {
#define X(name, help) SLUICE_MEET_##name,
	SLUICE_MEET_COUNTERS(X)
#undef X
	SLUICE_MEET_COUNTERS_MAX
};

/* The counters of one CPU. The loader maps the array of all CPUs, to read it without privileges. */
struct sluice_meet_counters {
	__u64 value[SLUICE_MEET_COUNTERS_MAX];
} __attribute__((aligned(64)));

#endif
