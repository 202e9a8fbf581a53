/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/* The maps shared by the XDP program of the rendezvous server and its loader. */
#ifndef SLUICE_MEET_H
#define SLUICE_MEET_H

#include <linux/types.h>
#include <sluice/flow.h>
#include <sluice/siphash.h>

#define SLUICE_MEET_LISTEN_MAX 64 /* addresses */

/* What the program answers at an address. */
enum sluice_meet_service {
	SLUICE_MEET_REFRESH = 1,
	SLUICE_MEET_BINDING = 2, /* an address without another one, which the answer had to name */
};

/* An address and a port of the server; the value has bits of enum sluice_meet_service. */
struct sluice_meet_listen {
	struct sluice_addr addr;
	__be16 port_be;
	__u16 zero[3];
};
_Static_assert(sizeof(struct sluice_meet_listen) == 24, "struct sluice_meet_listen");

/*
 * A registration by UDP, at its slot (<sluice/rendezvous.h>). User space writes it, the epoch last;
 * the program stores the time of a refresh, which user space reads before a registration expires.
 */
struct sluice_meet_peer {
	struct sluice_siphash_key key; /* of the refresh */
	struct sluice_addr addr;
	__be16 port_be;
	__u16 zero;
	__u32 epoch;   /* 0: none is here */
	__u64 seen_ns; /* CLOCK_MONOTONIC */
};
_Static_assert(sizeof(struct sluice_meet_peer) == 48, "struct sluice_meet_peer");

/*
 * Budgets: answers to sources that have proved nothing, by prefix, a /24 of IPv4 and a /56 of IPv6.
 * An entry is the time at which its budget is full again (the generic cell rate algorithm), so that
 * it needs one number. The table has a fixed size: a flood of forged sources makes no state.
 */
#define SLUICE_MEET_BUDGETS_SHIFT 16
#define SLUICE_MEET_BUDGETS	  (1U << SLUICE_MEET_BUDGETS_SHIFT)

SLUICE_FLOW_INLINE __u32 sluice_meet_budget_index(__u64 seed, const struct sluice_addr *source)
{
	/* the high half of the prefix; all of IPv4 has one of 0, as no /56 in use has */
	__u64 prefix = source->half[0];

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	prefix = __builtin_bswap64(prefix);
#endif
	if (!prefix)
		prefix = __builtin_bswap32((__u32)source->word_be[3]);
	return sluice_flow_mix(seed, prefix >> 8) >> (64 - SLUICE_MEET_BUDGETS_SHIFT);
}

/*
 * A STUN message to a listening address counts under one of these; other packets are not counted,
 * nor those with IP options or extension headers, and fragments, which user space handles.
 * As in sluice/counters.h, the list defines the index, the JSON key and the help text.
 */
#define SLUICE_MEET_COUNTERS(X)                                                                \
	X(bindings, "Binding requests answered")                                               \
	X(refreshes, "short refreshes of registrations answered")                              \
	X(passed_refresh, "refreshes passed: of no registration here, or from another source") \
	X(passed_message, "messages passed to user space, which understands all of STUN")      \
	X(passed_source, "datagrams passed: the source cannot get an answer")                  \
	X(passed_checksum, "messages passed: a wrong checksum, or none yet as from a local "   \
			   "container")                                                        \
	X(passed_lease, "messages passed: user space has not renewed the lease")               \
	X(passed_headroom, "messages passed: the frame cannot grow")                           \
	X(dropped_budget, "requests dropped: the budget of their prefix is spent")             \
	X(aborted, "frames lost in the middle of a change")                                    \
	X(in_bytes, "bytes of answered Binding requests, UDP payload")                         \
	X(out_bytes, "bytes of the answers to them")

enum sluice_meet_counter {
#define X(name, help) SLUICE_MEET_##name,
	SLUICE_MEET_COUNTERS(X)
#undef X
	SLUICE_MEET_COUNTERS_MAX
};

/* An entry for each CPU: an array that the loader maps, to read it without privileges. */
struct sluice_meet_counters {
	__u64 value[SLUICE_MEET_COUNTERS_MAX];
} __attribute__((aligned(64)));

#endif
