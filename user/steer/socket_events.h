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

struct steer_follow;

/* Events that were read together. */
struct steer_heard {
	__u32 bound;
	__u32 released;
	__u64 first_bound_ns; /* CLOCK_MONOTONIC; 0: none was */
};

/*
 * Attaches to the cgroup; netns is an inode number, 0 for all of them.  On failure -errno with
 * *err set, and nothing is attached: what comes later is then found by sweeps alone.
 */
int steer_follow_open(struct steer_follow **follow, const char *cgroup, const struct ports *ports,
		      __u32 netns, struct err *err);
void steer_follow_close(struct steer_follow *follow);
/* Readable when there are events. */
int steer_follow_fd(const struct steer_follow *follow);
/* Reads those there are; where they come too fast, some are left for later. 0 or -errno. */
int steer_follow_read(struct steer_follow *follow, struct steer_heard *heard);
/* Events since the start that found the ring buffer full. */
__u64 steer_follow_lost(const struct steer_follow *follow);

#endif
