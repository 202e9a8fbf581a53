/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon's side of one network namespace: raw sockets that keepalives leave by, and the program
 * that reads ICMP errors about them on the interfaces that they leave by.
 *
 * A raw socket sends with the addresses and ports of the program's socket, through the same routes,
 * netfilter and conntrack, so that NAT sees no difference; the program's socket itself is never
 * touched. Sockets and links belong to this process and vanish with it.
 *
 * The sockets keep the namespace alive: the owner closes the outlet once no tracked socket is open
 * in it.
 */
#ifndef SLUICE_HOLD_OUTLET_H
#define SLUICE_HOLD_OUTLET_H

#include "base/err.h"
#include "hold/send_options.h"

#include <sluice/hold.h>
#include <stdbool.h>
#include <stddef.h>

struct outlet;

#define OUTLET_BATCH 64

/* A keepalive to send. */
struct outlet_send {
	struct sluice_hold_flow flow;
	unsigned int ttl;
	int result; /* 0 or -errno */
};

/*
 * Opens an outlet in a namespace; the thread is back in @home_fd when this returns. Returns 0,
 * -ENOENT if no name and no process leads to the namespace, or -errno; *err has the reason.
 */
int outlet_open(struct outlet **outlet, __u32 netns, int home_fd, struct err *err);
void outlet_close(struct outlet *outlet);

/* Sends up to OUTLET_BATCH keepalives and sets the result of each. */
void outlet_send(struct outlet *outlet, struct outlet_send *sends, size_t count,
		 enum hold_payload payload, __u64 seed);

/*
 * Attaches the program to an interface, unless it is attached already or was refused. Returns 0 or
 * -errno; *first is true if this is the first failure there.
 */
int outlet_watch(struct outlet *outlet, __u32 ifindex, int prog_fd, bool *first);
/* Forgets the interfaces that are gone, or whose program was detached: outlet_watch() tries again.
 */
void outlet_check(struct outlet *outlet);

struct nl;
/* Returns a socket for conntrack in the namespace, or NULL. */
struct nl *outlet_conntrack(struct outlet *outlet);

#endif
