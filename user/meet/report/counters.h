/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The counters of a peer process, summed over its sessions. */
#ifndef SLUICE_MEET_REPORT_COUNTERS_H
#define SLUICE_MEET_REPORT_COUNTERS_H

#define PEER_COUNTERS(X)                                                               \
	X(sessions, "sessions with other peers, each begun by an introduction")        \
	X(sessions_failed, "sessions that never had a path")                           \
	X(repunches, "introductions after the first one of a session")                 \
	X(path_changes, "changes of the address that a session sends to")              \
	X(consents_lost, "paths whose checks got no answer for 24 seconds")            \
	X(members_connected, "TCP connections of the pool that were established")      \
	X(members_failed, "TCP connections of the pool that could not be established") \
	X(members_lost, "TCP connections of the pool that were lost")                  \
	X(members_given, "programs' connections that got one of the pool")             \
	X(members_refused, "programs' connections that got none of the pool")          \
	X(checks_sent, "checks sent")                                                  \
	X(checks_answered, "own checks that the other peer has answered")              \
	X(checks_received, "authentic checks of other peers")                          \
	X(checks_rejected, "checks and answers that were not authentic, or repeated")  \
	X(keepalives_sent, "keepalives sent")                                          \
	X(keepalives_saved, "keepalives that other traffic made unnecessary")

#define PEER_COUNT(name, help) PEER_COUNT_##name,
enum peer_counter {
	PEER_COUNTERS(PEER_COUNT) PEER_COUNTERS_MAX
};

#endif
