/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Receives events when sockets join or leave reuseport groups on the managed ports. The programs
 * that send the events are attached to the bind and release hooks of a cgroup, until this process
 * exits.
 */
#ifndef SLUICE_STEER_SOCKET_EVENTS_H
#define SLUICE_STEER_SOCKET_EVENTS_H

#include "base/err.h"
#include "base/ports.h"

#include <linux/bpf.h>
#include <linux/types.h>
#include <stdbool.h>

struct socket_events;

struct socket_event_batch {
	__u32 bound;
	__u32 released;
	__u64 first_bound_ns; /* time of the first bind (CLOCK_MONOTONIC); 0: none */
};

/*
 * Attaches the programs to the cgroup. @netns is an inode number, or 0 for all namespaces. Returns
 * 0, or -errno with *err set and nothing attached; then only sweeps find new sockets.
 */
int socket_events_open(struct socket_events **events, const char *cgroup, const struct ports *ports,
		       __u32 netns, struct err *err);
void socket_events_close(struct socket_events *events);
#define SOCKET_EVENTS_PROGRAMS 3
/* Reads name and run time of a program. Returns 0 or -errno. */
int socket_events_program(const struct socket_events *events, int i, struct bpf_prog_info *info);
/*
 * Returns true if all programs are attached. Another process may detach a program, or remove the
 * cgroup.
 */
bool socket_events_attached(const struct socket_events *events);
/* Returns a descriptor that is readable while events are pending. */
int socket_events_fd(const struct socket_events *events);
/* Reads pending events, up to a limit. Returns 0 or -errno. */
int socket_events_read(struct socket_events *events, struct socket_event_batch *batch);
/* Returns the number of events lost since the start because the ring buffer was full. */
__u64 socket_events_lost(const struct socket_events *events);

#endif
