/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/*
 * Every way out of the reply programs, once: the index in the per-CPU map, the JSON key, the metric
 * name (sluice_reply_KEY_total) and the help text all come from this list.
 *
 * Sockets that are not managed (another protocol or port, bound to one address, connected) leave
 * the programs uncounted after one cheap test.
 */
#ifndef SLUICE_COUNTERS_H
#define SLUICE_COUNTERS_H

#define SLUICE_REPLY_COUNTERS(X)                                                                  \
	X(learned, "new flows: a peer spoke to a managed socket for the first time")              \
	X(moved,                                                                                  \
	  "flows whose peer now speaks to another local address, or through another device")      \
	X(evicted, "live flows that gave way because their set of the table was full")            \
	X(fixed, "replies given the address that the peer had asked")                             \
	X(left_source_set, "replies left alone: the application named the source")                \
	X(left_no_flow, "sends left alone: nothing heard from this peer (or it gave way)")        \
	X(left_expired, "sends left alone: the peer's last datagram is too long ago")             \
	X(left_address_gone, "sends left alone: the host no longer has the address")              \
	X(left_scope, "sends left alone: link-local peer heard through two interfaces")           \
	X(skipped_not_own, "datagrams to no interface's address (multicast, AnyIP), not learned") \
	X(skipped_header, "datagrams with headers that the parser refuses, not learned")          \
	X(skipped_client, "sockets not managed under 'any': the kernel chose their port")         \
	X(skipped_memory, "datagrams not learned: no memory for the record of their socket")      \
	X(audit_right, "audit: replies that left from the address asked")                         \
	X(audit_wrong, "audit: replies that left from another address than the one asked")

enum sluice_reply_counter {
#define X(name, help) SLUICE_REPLY_##name,
	SLUICE_REPLY_COUNTERS(X)
#undef X
	SLUICE_REPLY_COUNTERS_MAX
};

struct sluice_reply_counters {
	__u64 value[SLUICE_REPLY_COUNTERS_MAX];
};

#endif
