/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/*
 * What the programs that watch for sockets of reuseport groups tell the daemon: that something has
 * changed, and when.  What has changed it sees for itself, by its sweep, so that an event lost or
 * misread is never worse than a late one.
 */
#ifndef SLUICE_SOCKET_EVENTS_H
#define SLUICE_SOCKET_EVENTS_H

#include <linux/types.h>

enum sluice_follow_kind {
	SLUICE_SOCKET_BOUND = 1,
	SLUICE_SOCKET_RELEASED,
};

struct sluice_socket_event {
	__u64 at_ns; /* CLOCK_MONOTONIC */
	__u32 kind;  /* enum sluice_follow_kind */
	__u32 reserved;
};
_Static_assert(sizeof(struct sluice_socket_event) == 16, "struct sluice_socket_event");

#endif
