/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * News of sockets that join or leave reuseport groups on the managed ports, from programs on the
 * binding and the releasing of sockets below a cgroup.  They end with this process.
 */
#ifndef SLUICE_STEER_SOCKET_EVENTS_H
#define SLUICE_STEER_SOCKET_EVENTS_H

#include "base/err.h"
#include "base/ports.h"

#include <linux/types.h>

struct socket_events;

/* Events that were read together. */
struct socket_event_batch {
	__u32 bound;
	__u32 released;
	__u64 first_bound_ns; /* CLOCK_MONOTONIC; 0: none was */
};

/*
 * Attaches to the cgroup; netns is an inode number, 0 for all of them.  On failure -errno with
 * *err set, and nothing is attached: what comes later is then found by sweeps alone.
 */
int socket_events_open(struct socket_events **follow, const char *cgroup, const struct ports *ports,
		       __u32 netns, struct err *err);
void socket_events_close(struct socket_events *follow);
/* Readable when there are events. */
int socket_events_fd(const struct socket_events *follow);
/* Reads those there are; where they come too fast, some are left for later. 0 or -errno. */
int socket_events_read(struct socket_events *follow, struct socket_event_batch *heard);
/* Events since the start that found the ring buffer full. */
__u64 socket_events_lost(const struct socket_events *follow);

#endif
