/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/*
 * The outcomes of the hold programs and of the sending daemon. As in sluice/counters.h, each list
 * defines the index, the JSON key, the metric name (sluice_hold_KEY_total) and the help text.
 */
#ifndef SLUICE_HOLD_COUNTERS_H
#define SLUICE_HOLD_COUNTERS_H

#include <linux/types.h>

#define SLUICE_HOLD_COUNTERS(X)                                                                  \
	X(flows, "new flows: first datagram of a managed socket to a peer")                      \
	X(answered, "flows whose peer has answered")                                             \
	X(replaced,                                                                              \
	  "flows replaced: closed, unanswered, ended, or of a namespace over half of the table") \
	X(table_full, "flows not tracked: all flows in the table need a keepalive")              \
	X(no_socket, "flows not tracked: no room for the socket or the namespace")               \
	X(skipped_header, "datagrams not tracked: malformed headers")                            \
	X(suppressed, "ICMP errors about keepalives that were dropped")                          \
	X(unreachable, "port unreachable messages of peers")                                     \
	X(unreachable_ignored, "port unreachable messages ignored: no recent datagram")

enum sluice_hold_counter {
#define X(name, help) SLUICE_HOLD_##name,
	SLUICE_HOLD_COUNTERS(X)
#undef X
	SLUICE_HOLD_COUNTERS_MAX
};

struct sluice_hold_counters {
	__u64 value[SLUICE_HOLD_COUNTERS_MAX];
};

#define SLUICE_HOLD_SEND_COUNTERS(X)                                                   \
	X(sent, "keepalives sent")                                                     \
	X(renewed, "conntrack entries of this host's NAT renewed without a datagram")  \
	X(delayed, "keepalives delayed by --rate, or by a full send buffer")           \
	X(late, "keepalives sent or renewed more than a second after the interval")    \
	X(send_failed, "keepalives that the kernel refused to send")                   \
	X(no_netns, "keepalives not sent: the network namespace cannot be entered")    \
	X(unreplied, "keepalives not sent: conntrack has seen no reply")               \
	X(remapped, "keepalives not sent: this host's NAT has changed the port")       \
	X(near, "keepalives not sent: the peer is on the link and would receive them") \
	X(stopped_closed, "flows ended: the socket was closed")                        \
	X(stopped_unreachable, "flows stopped: port unreachable")                      \
	X(stopped_max, "flows ended: the application was silent for --max")

enum sluice_hold_send_counter {
#define X(name, help) SLUICE_HOLD_SEND_##name,
	SLUICE_HOLD_SEND_COUNTERS(X)
#undef X
	SLUICE_HOLD_SEND_COUNTERS_MAX
};

struct sluice_hold_send_counters {
	__u64 value[SLUICE_HOLD_SEND_COUNTERS_MAX];
};

#endif
