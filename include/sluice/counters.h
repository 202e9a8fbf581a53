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
	X(audit_wrong, "audit: replies that left from another address than the one asked")        \
	X(audit_connect, "audit: sockets connected to a peer that they had heard")

enum sluice_reply_counter {
#define X(name, help) SLUICE_REPLY_##name,
	SLUICE_REPLY_COUNTERS(X)
#undef X
	SLUICE_REPLY_COUNTERS_MAX
};

struct sluice_reply_counters {
	__u64 value[SLUICE_REPLY_COUNTERS_MAX];
};

/* The same for the steering program of a group (sluice_steer_KEY_total). */
#define SLUICE_STEER_COUNTERS(X)                                                                   \
	X(known, "datagrams that followed their flow to its worker")                               \
	X(started, "flows begun: a worker was chosen for them")                                    \
	X(unrecorded, "flows begun, not remembered: their set of the table holds live flows only") \
	X(half_open_lost, "flows of one datagram so far that gave way to newer ones")              \
	X(moved_gone, "flows moved: their worker's socket was closed")                             \
	X(moved_drained, "flows moved: their worker was drained")                                  \
	X(moved_idle, "flows begun anew after the idle timeout, away from a retired worker")       \
	X(stale_slot, "choices made again: the socket had been closed or connected since")         \
	X(passed_full, "new flows that went past a worker whose queue was full")                   \
	X(all_full, "new flows given to a worker whose queue was full, like the others'")          \
	X(cpu_other, "policy cpu: datagrams on a CPU where no worker reads, placed by hash")       \
	X(kernel_no_worker, "left to the kernel's choice: no worker takes new flows")              \
	X(kernel_header, "left to the kernel's choice: the header could not be read")              \
	X(kernel_refused, "left to the kernel's choice: it refused the sockets chosen")

enum sluice_steer_counter {
#define X(name, help) SLUICE_STEER_##name,
	SLUICE_STEER_COUNTERS(X)
#undef X
	SLUICE_STEER_COUNTERS_MAX
};

struct sluice_steer_counters {
	__u64 value[SLUICE_STEER_COUNTERS_MAX];
};

#endif
