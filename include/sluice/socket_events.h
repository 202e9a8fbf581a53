/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/*
 * Events from the programs that watch the sockets of reuseport groups. An event only triggers a
 * sweep, which finds out what has changed, so a lost event only delays the detection.
 */
#ifndef SLUICE_SOCKET_EVENTS_H
#define SLUICE_SOCKET_EVENTS_H

#include <linux/types.h>

enum sluice_socket_event_kind {
	SLUICE_SOCKET_BOUND = 1,
	SLUICE_SOCKET_RELEASED,
};

struct sluice_socket_event {
	__u64 at_ns; /* CLOCK_MONOTONIC */
	__u32 kind;  /* enum sluice_socket_event_kind */
	__u32 reserved;
};
_Static_assert(sizeof(struct sluice_socket_event) == 16, "struct sluice_socket_event");

#endif
