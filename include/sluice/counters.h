/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/*
 * The outcomes of the reply programs. This list defines the index in the per-CPU map, the JSON key,
 * the metric name (sluice_reply_KEY_total) and the help text.
 *
 * The programs skip unmanaged sockets (another protocol or port, bound to one address, connected)
 * after one cheap test, without counting them.
 */
#ifndef SLUICE_COUNTERS_H
#define SLUICE_COUNTERS_H

#define SLUICE_REPLY_COUNTERS(X)                                                               \
	X(learned, "new flows: first datagram of a peer to a managed socket")                  \
	X(moved, "live flows whose peer has sent to another local address")                    \
	X(ended, "flows ended: the peer then sent to an address that cannot be a source")      \
	X(evicted, "live flows evicted because their set of the table was full")               \
	X(fixed, "replies sent from the requested address")                                    \
	X(fixed_other_port,                                                                    \
	  "replies fixed that went to another port of the peer (--any-peer-port)")             \
	X(left_source_set, "replies left alone: the application set the source")               \
	X(left_no_flow, "sends left alone: no flow for this peer in the table")                \
	X(left_expired, "sends left alone: the peer's flow has expired")                       \
	X(left_address_gone, "sends left alone: the host no longer has the address")           \
	X(left_scope, "sends left alone: link-local peer on an unspecified link")              \
	X(skipped_not_own,                                                                     \
	  "datagrams not learned: destination on no interface (multicast, AnyIP)")             \
	X(skipped_loopback,                                                                    \
	  "datagrams not learned: to 127.0.0.0/8, which cannot be a reply's source")           \
	X(skipped_header, "datagrams not learned: malformed headers")                          \
	X(skipped_client, "sockets not managed: with --port any, the kernel chose their port") \
	X(skipped_memory, "datagrams not learned: no memory for socket storage")               \
	X(audit_right, "audit: replies that left from the requested address")                  \
	X(audit_wrong, "audit: replies that left from another address")                        \
	X(audit_other_port, "audit: datagrams from another address to another port of a peer") \
	X(audit_connect,                                                                       \
	  "sockets connected to a peer after its request: mode socket does not fix them")

enum sluice_reply_counter {
#define X(name, help) SLUICE_REPLY_##name,
	SLUICE_REPLY_COUNTERS(X)
#undef X
	SLUICE_REPLY_COUNTERS_MAX
};

struct sluice_reply_counters {
	__u64 value[SLUICE_REPLY_COUNTERS_MAX];
};

/* The outcomes of a group's steering program (sluice_steer_KEY_total). */
#define SLUICE_STEER_COUNTERS(X)                                                          \
	X(known, "datagrams that followed their flow to its worker")                      \
	X(started, "new flows, assigned to a worker")                                     \
	X(unrecorded, "new flows not stored: all slots of their set hold live flows")     \
	X(half_open_lost, "flows of a single datagram, evicted by newer ones")            \
	X(lapsed_lost, "idle flows of few datagrams, evicted by newer ones")              \
	X(moved_gone, "flows moved: their worker's socket was closed")                    \
	X(moved_drained, "flows moved: their worker was drained")                         \
	X(moved_idle, "flows moved from a retired worker after the idle timeout")         \
	X(stale_slot, "choices repeated: the socket had been closed or connected")        \
	X(passed_full, "new flows that skipped a worker with a full queue")               \
	X(all_full, "new flows assigned to a full queue, since all queues were full")     \
	X(cpu_other, "policy cpu: datagrams on a CPU without a worker, assigned by hash") \
	X(kernel_no_worker, "left to the kernel: no worker accepts new flows")            \
	X(kernel_header, "left to the kernel: the header could not be read")              \
	X(kernel_refused, "left to the kernel: the kernel refused the chosen sockets")

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
